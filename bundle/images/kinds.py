"""Kinds of image files, told by their names. Imports nothing: a wrong path is told at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bundle.errors import InputError

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
"""Suffixes, in lower case, of the files that are read as pictures."""

VOLUMES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")
"""Suffixes, in lower case, of the files that are read as volumes."""


def is_volume(path: Path | str) -> bool:
    """Tell volumes from pictures by the file's suffix.

    Args:
        path: a file, or the folder of a DICOM series.

    Returns:
        whether it is read as a volume; otherwise it is read as a picture.

    Raises:
        InputError: it is neither, or there is no such file.
    """
    if Path(path).is_dir():
        return True
    name = Path(path).name.lower()
    if name.endswith(VOLUMES):
        return True
    if name.endswith(PICTURES):
        return False
    require_file(path)
    known = ", ".join((*PICTURES, *VOLUMES))
    raise InputError(f"{path}: unknown kind of file; name one of {known}")


def shown(path: Path | str) -> str:
    """A path that can be printed and written: bytes that are no UTF-8 are escaped."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def require_plain(path: Path | str) -> None:
    """Refuse a path that is no UTF-8: ITK would end the process.

    Raises:
        InputError: it is not.
    """
    if shown(path) != str(path):
        raise InputError(f"{shown(path)}: its name is not UTF-8; rename it")


def visible(folder: Path, pattern: str) -> Iterator[Path]:
    """What matches a pattern in a folder, without what systems leave there.

    Those are hidden files, such as ``.DS_Store`` and the ``._NAME.png`` of macOS.
    """
    return (path for path in folder.glob(pattern) if not path.name.startswith("."))


def require_file(path: Path | str) -> None:
    """Refuse a path that leads nowhere.

    Raises:
        InputError: there is no such file or folder.
    """
    if not Path(path).exists():
        raise InputError(f"{path}: no such file; check the path")


def stem(path: Path | str) -> str:
    """The file's name without the suffix of a picture or volume; '' for files of other kinds."""
    name = Path(path).name
    suffix = max(
        (s for s in (*PICTURES, *VOLUMES) if name.lower().endswith(s)), key=len, default=""
    )
    return name[: len(name) - len(suffix)] if suffix else ""
