"""Where DICOM files lie: in a folder with all its folders, a DICOMDIR, a ZIP file, beside one."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

import pydicom

from bundle.errors import InputError
from bundle.images.kinds import is_archive, is_dicomdir

LARGEST = 8 * 2**30
"""Bytes that a ZIP file may hold; they end up in memory."""

PACKED, USUAL = 2**30, 100
"""Bytes beyond which a ZIP file may hold at most so many times its own length."""

AT_ONCE = 4 * 2**30
"""Bytes of files that are read with their pixels before one series of them is chosen."""

MOST = 200_000
"""Files that a ZIP file may hold."""

SYSTEM = ("lost+found", "System Volume Information", "$RECYCLE.BIN")
"""Folders of operating systems at the top of a disc, which are closed to users."""

UNPACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
"""Kinds of compression that Python reads; Windows packs large files by Deflate64."""

HEAD = 132
"""Bytes at the start of a file by which it is told."""


class Readable(Protocol):
    """A file, on its own or in a ZIP file."""

    def open(self, mode: Any = "rb") -> Any:
        """Open it."""


@dataclass(frozen=True)
class Entry:
    """A file in a ZIP file, which no path leads out of: it is never unpacked to the disk."""

    archive: zipfile.ZipFile
    name: str

    def open(self, mode: Any = "rb") -> Any:
        """Open it; of what does not begin as DICOM the start alone is unpacked."""
        with self.archive.open(self.name) as packed:
            head = packed.read(HEAD)
            return io.BytesIO(head + packed.read() if begins(head) else head)

    def __str__(self) -> str:
        """Its name, in messages."""
        return f"{self.archive.filename}/{self.name}"


def files_of(path: Path) -> Iterator[Readable]:
    """The files among which the DICOM ones are, hidden ones left out.

    Args:
        path: a folder, which is searched with all its folders; a DICOMDIR, whose files are those
            that it lists; a ZIP file, of which nothing is unpacked to the disk; or one file of a
            series, beside which the others are sought.

    Yields:
        files in the order of their names; nothing if there is no such path.

    Raises:
        InputError: a DICOMDIR lists files that are missing; a folder cannot be opened or a link
            leads nowhere; a ZIP file is damaged, encrypted or too large.
    """
    if path.is_dir():
        yield from _tree(path)
    elif is_dicomdir(path):
        yield from _listed(path)
    elif is_archive(path):
        yield from _zipped(path)
    elif path.is_file():
        yield from _beside(path)


def begins(head: bytes) -> bool:
    """Whether a file may be DICOM by its first ``HEAD`` bytes; old ones lack the preamble."""
    bare = head[:1] in (b"\x02", b"\x08") and head[1:2] + head[3:4] == b"\0\0"
    return head[128:] == b"DICM" or bare


def is_one_file(path: Path) -> bool:
    """Whether a path is that of one file of a series."""
    return path.is_file() and not is_dicomdir(path) and not is_archive(path)


def fit(files: Sequence[Readable]) -> bool:
    """Whether so many files can be read at once."""
    return sum(path.stat().st_size for path in files if isinstance(path, Path)) <= AT_ONCE


def _tree(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, onerror=_refuse, followlinks=False):
        users = (name for name in folders if name not in SYSTEM)
        folders[:] = sorted(name for name in users if not name.startswith("."))
        for name in sorted(names):
            found = Path(place) / name
            if _is_file(found):
                yield found


def _beside(path: Path) -> Iterator[Path]:
    yield path
    try:
        others = sorted(path.parent.iterdir())
    except OSError as error:
        _refuse(error)
    for other in others:
        if other.name != path.name and _is_file(other):
            yield other


def _is_file(path: Path) -> bool:
    """Whether it is a file that counts; one out of reach may be a slice, and is not left out."""
    if path.name.startswith("."):
        return False
    try:
        if path.is_symlink() and not path.exists():
            raise InputError(f"{path}: is a broken link; fetch its content, or delete it")
        return path.is_file()
    except OSError as error:
        _refuse(error)


def _refuse(error: OSError) -> NoReturn:
    raise InputError(
        f"{error.filename}: cannot be opened ({error.strerror}); check its permissions"
    ) from error


def _listed(path: Path) -> Iterator[Path]:
    """What a DICOMDIR lists; discs are also mounted with names in lower case."""
    try:
        records = pydicom.dcmread(path).DirectoryRecordSequence
    except Exception as error:  # of any type: pydicom has no common one for damaged files
        raise InputError(f"{path}: cannot be read as a DICOMDIR; name the folder") from error
    missing = []
    for record in records:
        parts = record.get("ReferencedFileID")
        if not parts:
            continue
        parts = [parts] if isinstance(parts, str) else list(parts)
        names = [parts, [part.lower() for part in parts]]
        found = next((p for p in (path.parent.joinpath(*n) for n in names) if p.is_file()), None)
        if found is None:
            missing.append("/".join(parts))
        else:
            yield found
    if missing:
        raise InputError(
            f"{path}: lists {len(missing)} files that are not there, such as {missing[0]}; copy "
            "the whole disc, or name the folder"
        )


def _zipped(path: Path) -> Iterator[Readable]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{path}: is a damaged ZIP file; copy it anew") from error
    entries = [one for one in archive.infolist() if not one.is_dir()]
    if any(one.flag_bits & 1 for one in entries):
        raise InputError(f"{path}: is encrypted; unpack it first")
    if any(one.compress_type not in UNPACKED for one in entries):
        raise InputError(f"{path}: is packed in a way that cannot be read; unpack it first")
    size = sum(one.file_size for one in entries)
    limit = min(LARGEST, max(PACKED, USUAL * path.stat().st_size))
    if len(entries) > MOST or size > limit:
        raise InputError(
            f"{path}: holds {size / 2**30:.1f} GiB in {len(entries)} files, too much to unpack in "
            "memory; unpack it and name the folder"
        )
    for one in sorted(entries, key=lambda entry: entry.filename):
        parts = one.filename.removeprefix("./").split("/")
        if not any(part.startswith((".", "__MACOSX")) for part in parts):
            yield Entry(archive, one.filename)
