"""What makes a folder of results a BIDS dataset of derivatives."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from bundle import __version__
from bundle.errors import InputError
from bundle.results.whole_file import whole_file
from bundle.workflow.bids.find import WORK
from bundle.workflow.bids.sidecars import LINK

BIDS_VERSION = "1.10.0"

IGNORED = """\
*_xfm.*
*_ct.*
*_spect.*
*_nm.*
*.html
group_*
figures
logs
ct
spect
nm
"""
"""What the standard has no names for yet, in the words of ``.gitignore``.

The validator looks at folders without the ``/`` that would end their names there.
"""

README = """\
# BiMSRec: CT, PET and SPECT registered to the T1w and fused with it

Made by the BiMSRec bundle from the dataset that dataset_description.json names as DatasetLinks.
Research use only: not a medical device.

- space-T1w_desc-registered: the image on the grid of the T1w, in its own units
- space-T1w_desc-fused, desc-fusedcolor: the fusion of both, grey from 0 to 1 and in colours
- space-T1w_desc-uncertainty: of the displacement, in mm
- from-X_to-Y_mode-image_xfm.h5: ITK transform that brings images of X onto Y (antsApplyTransforms)
- sub-*/figures: the page and the measures of each registration
- group_registration.html and .tsv: all of them in one table, outliers first
- logs: what could not be done
"""


def write_dataset(derivatives: Path, root: Path) -> None:
    """Write ``dataset_description.json``, ``.bidsignore`` and a README, unless they are there.

    A ``.bidsignore`` of others keeps its lines and gets those that it lacks.

    Also makes the folder for what is not complete yet, so that runs at one time do not make and
    remove it under each other.

    Args:
        derivatives: the folder of results, made if necessary.
        root: the dataset that they are made of.

    Raises:
        InputError: the folder holds derivatives of another program or of another dataset, or
            cannot be written to.
    """
    path = derivatives / "dataset_description.json"
    try:
        described = path.is_file()
        if described:
            _require_ours(path, root)
        (derivatives / WORK).mkdir(parents=True, exist_ok=True)
        if described:
            return
        _ignore(derivatives / ".bidsignore")
        if not any(derivatives.glob("README*")):
            _write(derivatives / "README.md", README)
        _write(path, as_json(_description(derivatives, root)))  # last: the others are there
    except OSError as error:
        raise InputError(
            f"{derivatives}: cannot be written to ({error.strerror}); choose another folder"
        ) from error


def as_json(content: dict[str, Any]) -> str:
    """The text of a JSON file."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _ignore(path: Path) -> None:
    """Add what is to be ignored to the lines that are there, whatever their encoding."""
    there = path.read_text(encoding="utf-8", errors="surrogateescape") if path.is_file() else ""
    missing = [line for line in IGNORED.splitlines() if line not in there.splitlines()]
    if missing:
        between = "" if there.endswith("\n") or not there else "\n"
        _write(path, there + between + "\n".join(missing) + "\n")


def _write(path: Path, text: str) -> None:
    """Write a file whole, also where other processes write the same one."""
    content = text.encode("utf-8", "surrogateescape")
    with whole_file(path, len(content), overwrite=True) as partial:
        partial.write_bytes(content)


def _description(derivatives: Path, root: Path) -> dict[str, Any]:
    link = Path(os.path.relpath(root.resolve(), derivatives.resolve())).as_posix()
    return {
        "Name": "BiMSRec: CT, PET and SPECT registered to the T1w",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": "BiMSRec",
                "Version": __version__,
                "Description": "Registration and fusion of CT, PET and SPECT with MRI",
            }
        ],
        "DatasetLinks": {LINK: quote(link)},
    }


def _require_ours(path: Path, root: Path) -> None:
    """Refuse what another program made, or this one of another dataset."""
    try:
        described = json.loads(path.read_text(encoding="utf-8-sig"))
        ours = any(one["Name"] == "BiMSRec" for one in described["GeneratedBy"])
    except (ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise InputError(f"{path}: is the dataset of another program; choose a folder of its own")
    source = _linked(described, path.parent)
    if source is not None and not (source.exists() and source.samefile(root)):
        raise InputError(
            f"{path.parent}: holds the results of another dataset ({source}); choose a folder of "
            f"its own, or correct DatasetLinks in {path.name} if the dataset was moved"
        )


def _linked(described: dict[str, Any], folder: Path) -> Path | None:
    """The dataset that a folder of results names; None where that is no place on this machine."""
    links = described.get("DatasetLinks")
    link = urlsplit(str(links.get(LINK) or "")) if isinstance(links, dict) else urlsplit("")
    if link.scheme not in ("", "file") or not link.path:  # published: a DOI or an address
        return None
    return (folder.resolve() / unquote(link.path)).resolve()
