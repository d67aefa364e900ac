"""Whether a file with the name of a result is one, before it is removed or replaced."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from bundle.errors import InputError
from bundle.results.labels import LabelMean
from bundle.results.summary import COLUMNS, TITLE

BEGINNINGS = {
    "labels.csv": ",".join(one.name for one in fields(LabelMean)),
    "summary.csv": ",".join(COLUMNS[:4]),
    "summary.html": f"<title>{TITLE}</title>",
}
"""What the first lines of such a file hold, tables at their beginning."""

FIRST = 2000
"""Characters that are looked at."""


def is_ours(path: Path) -> bool:
    """Whether a file was written here, as far as its content tells.

    DICOM files and tables are looked into; scanners and people give theirs the same names. Of
    other files, and of empty ones as a killed run leaves them, the name counts.

    Args:
        path: a file.
    """
    try:
        if path.suffix == ".dcm":
            return _manufacturer(path) == "BiMSRec"
        if path.name in BEGINNINGS:
            with path.open(encoding="utf-8-sig") as file:
                text, beginning = file.read(FIRST), BEGINNINGS[path.name]
            found = beginning in text if path.suffix == ".html" else text.startswith(beginning)
            return found or not text
    except (OSError, ValueError):
        return False
    return True


def refuse_others(*paths: Path) -> None:
    """Stop before files that are not ours are removed or replaced.

    Raises:
        InputError: names the first that is there.
    """
    for path in paths:
        if path.exists():
            raise InputError(
                f"{path}: exists and is not a result; move it away or choose another output_dir"
            )


def _manufacturer(path: Path) -> str:
    """What a DICOM file says of the device; an empty text if it is none."""
    import pydicom  # slow to load, and only wanted where DICOM files are replaced

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Manufacturer"])
    except Exception:  # damaged files raise what they like
        return ""
    return str(header.get("Manufacturer", ""))
