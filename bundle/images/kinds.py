"""Kinds of image files, told by their names. Imports nothing: a wrong path is told at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bundle.errors import InputError

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
"""Suffixes, in lower case, of the files that are read as pictures."""

WRITTEN = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")
"""Suffixes, in lower case, of the volumes that are read and written."""

VOLUMES = (*WRITTEN, ".nhdr", ".mgz", ".mgh", ".hdr", ".img")
"""Suffixes, in lower case, of the files that are read as volumes."""


SLICES = (".dcm", ".dicom", ".ima")
"""Suffixes, in lower case, that only files of DICOM series have."""

DICOM = (*SLICES, ".zip")
"""Suffixes, in lower case, of files of DICOM series; most have none."""


def is_dicomdir(path: Path | str) -> bool:
    """Whether a path is that of the table of contents of a disc, by its name."""
    return Path(path).name.upper() == "DICOMDIR"


def is_archive(path: Path | str) -> bool:
    """Whether a path is that of a ZIP file, by its suffix."""
    return Path(path).name.lower().endswith(".zip")


def is_dicom(path: Path | str) -> bool:
    """Whether a path holds DICOM series: by its name, else by the first bytes of the file.

    Such are folders, DICOMDIRs, ZIP files, and single slices with or without a suffix.
    """
    path = Path(path)
    if path.is_dir() or is_dicomdir(path) or is_archive(path):
        return True
    name = path.name.lower()
    if name.endswith((*PICTURES, *VOLUMES)) or not path.is_file():
        return name.endswith(DICOM)
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM" or name.endswith(DICOM)
    except OSError:
        return name.endswith(DICOM)


def is_volume(path: Path | str) -> bool:
    """Tell volumes from pictures by the file's suffix.

    Args:
        path: a file, or the folder of a DICOM series.

    Returns:
        whether it is read as a volume; otherwise it is read as a picture.

    Raises:
        InputError: it is neither, or there is no such file.
    """
    name = Path(path).name.lower()
    if name.endswith(VOLUMES) or is_dicom(path):
        return True
    if name.endswith(PICTURES):
        return False
    require_file(path)
    known = ", ".join((*PICTURES, *VOLUMES, *DICOM))
    raise InputError(f"{path}: unknown kind of file; name one of {known}")


def shown(path: Path | str) -> str:
    """A path that can be printed and written: bytes that are no UTF-8 are escaped."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def require_plain(path: Path | str) -> None:
    """Refuse a path that is no UTF-8: ITK would end the process.

    Raises:
        InputError: it is not.
    """
    if not str(path).isascii() and sys.getfilesystemencoding() != "utf-8":
        raise InputError(
            f"{shown(path)}: file names are not UTF-8 in this locale; set PYTHONUTF8=1"
        )
    if shown(path) != str(path):
        raise InputError(f"{shown(path)}: its name is not UTF-8; rename it")


def visible(folder: Path, pattern: str) -> Iterator[Path]:
    """What matches a pattern in a folder, without what systems leave there.

    Those are hidden files, such as ``.DS_Store`` and the ``._NAME.png`` of macOS.
    """
    return (path for path in folder.glob(pattern) if not path.name.startswith("."))


def require_file(path: Path | str) -> None:
    """Refuse a path that leads nowhere, or to what does not end.

    Raises:
        InputError: there is no such file or folder.
    """
    if not Path(path).exists():
        raise InputError(f"{path}: no such file; check the path")
    if not (Path(path).is_file() or Path(path).is_dir()):
        raise InputError(f"{path}: is a pipe or a device; copy what it holds to a file")


def stem(path: Path | str) -> str:
    """The file's name without the suffix of a picture or volume; '' for files of other kinds.

    Of a volume in two files the header stands for both.
    """
    name = Path(path).name
    known = [suffix for suffix in (*PICTURES, *VOLUMES) if suffix != ".img"]
    suffix = max((s for s in known if name.lower().endswith(s)), key=len, default="")
    return name[: len(name) - len(suffix)] if suffix else ""
