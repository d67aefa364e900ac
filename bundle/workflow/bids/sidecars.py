"""What the JSON files beside images say, in the words of BIDS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bundle import __version__
from bundle.workflow.bids.names import BidsImage

LINK = "raw"
"""Name of the dataset with the images, in the derivatives' ``DatasetLinks``."""


def uri(path: Path, root: Path) -> str:
    """A file of the dataset as a BIDS URI."""
    return f"bids:{LINK}:{quote(path.relative_to(root).as_posix())}"


def inherited(image: BidsImage, root: Path) -> dict[str, Any]:
    """What the dataset's JSON files say of an image; the nearest one counts.

    By the principle of inheritance they lie in its folder or above, and the entities of their
    names are among the image's. One that cannot be read is left out, and so is a value that JSON
    has no word for, such as the ``NaN`` of some programs.
    """
    found: dict[str, Any] = {}
    folders = [root.joinpath(*image.folder.parts[:n]) for n in range(len(image.folder.parts) + 1)]
    for folder in folders:
        files = [path for path in folder.glob(f"*{image.suffix}.json") if _applies(path, image)]
        for path in sorted(files, key=lambda path: len(path.name)):
            found |= _content(path)
    return {key: value for key, value in found.items() if _is_json(value)}


def _applies(path: Path, image: BidsImage) -> bool:
    *parts, suffix = path.stem.split("_")
    return set(parts) <= set(image.stem.split("_")) and suffix == image.suffix


def _content(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_json(value: Any) -> bool:
    """Whether a value can be written again; Python reads more than that."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except ValueError:
        return False
    return True


def sidecars(
    image: BidsImage, fixed: Path, root: Path, report: Mapping[str, Any], unit: str | None
) -> dict[str, dict[str, Any]]:
    """The JSON content of each kind of result.

    Args:
        image: the moving image.
        fixed: the T1w.
        root: the dataset.
        report: the content of ``report.json``.
        unit: of the moving image, where it is known.

    Returns:
        by ``registered``, ``registeredmean``, ``fused``, ``fusedcolor``, ``uncertainty`` and
        ``transform``.
    """
    reference = uri(fixed, root)
    common = {
        "Sources": [uri(image.path, root), reference],
        "RegistrationSoftware": "BiMSRec",
        "RegistrationSoftwareVersion": __version__,
        "RegistrationParameters": report["parameters"],
    }
    placed = {**common, "SpatialReference": reference, "SkullStripped": False}
    said = inherited(image, root)
    units = {"Units": unit} if unit and "Units" not in said else {}
    modality = report["modality"]
    return {
        "registered": {
            "Description": f"{modality} registered to the T1w, in its own units",
            **said,
            **units,
            **placed,
        },
        "registeredmean": {
            "Description": f"{modality} registered to the T1w: the mean of its frames",
            **({"Units": said["Units"]} if "Units" in said else units),
            **placed,
        },
        "fused": {
            "Description": f"Fusion of the T1w and the registered {modality}, 0 to 1",
            "Units": "arbitrary",
            **placed,
        },
        "fusedcolor": {
            "Description": f"Fusion of the T1w and the registered {modality} in colours (RGB)",
            "Units": "arbitrary",
            **placed,
        },
        "uncertainty": {
            "Description": "Uncertainty of the displacement",
            "Units": "mm",
            **placed,
        },
        "transform": common,
    }
