"""The numbers of a volume as they lie in a file, behind or beside its header."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bundle.errors import InputError

CHUNK = 2**24
"""Bytes that are read or decompressed at once."""

TIGHTEST = {"raw": 1, "gzip": 1040, "zlib": 1040, "bzip2": 50_000}
"""How many bytes one byte of a file can hold at most: deflate packs 1032 to 1."""

LONGEST_NUMBER = 40
"""Bytes that a number takes at most where it is written as text."""


@dataclass(frozen=True)
class Stored:
    """Where the numbers of a volume are.

    Attributes:
        path: the file.
        offset: of their first byte; None: they are the end of the file.
        packing: raw, gzip, zlib, bzip2, text or hex.
        kind: type of each number.
        shape: how many along each axis, the first one changes fastest.
    """

    path: Path
    offset: int | None
    packing: str
    kind: np.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of the numbers."""
        return int(np.prod(self.shape, dtype=object)) * self.kind.itemsize


def stored_values(stored: Stored) -> np.ndarray:
    """Read the numbers.

    Args:
        stored: where they are.

    Returns:
        an array of the stored type and shape.

    Raises:
        InputError: the file cannot be read, is damaged, or holds fewer or more of them; nothing
            is allocated for what it cannot hold.
    """
    path = stored.path
    length = length_of(path)
    if (stored.offset or 0) > length:
        raise damaged(path)
    if stored.packing in ("text", "hex"):
        return _written_out(stored, length)
    if stored.size > TIGHTEST[stored.packing] * length:
        raise damaged(path)
    offset = max(0, length - stored.size) if stored.offset is None else stored.offset
    found = content(path, offset, stored.size + 1, stored.packing)
    return _shaped(stored, np.frombuffer(found, np.uint8))


def content(path: Path, offset: int, count: int, packing: str) -> bytearray:
    """The first bytes of what a file holds, unpacked; fewer if it ends before.

    Args:
        path: the file.
        offset: of the first byte of the file that counts.
        count: bytes at most.
        packing: raw, gzip, zlib or bzip2.

    Raises:
        InputError: the file cannot be read, or not be unpacked.
    """
    found = bytearray()
    with _reading(path), path.open("rb") as file, _unpacked(file, offset, packing) as opened:
        while part := opened.read(min(CHUNK, count - len(found))):
            found += part
    return found


def blocks(path: Path, offset: int, length: int, count: int, packing: str) -> Iterator[bytearray]:
    """Blocks of equal length, one after the other, of what a file holds, raw or gzip.

    Args:
        path: the file.
        offset: of the first block, unpacked.
        length: bytes of a block.
        count: how many blocks.
        packing: raw or gzip.

    Raises:
        InputError: the file cannot be read, or ends before.
    """
    with _reading(path), path.open("rb") as file, _unpacked(file, 0, packing) as opened:
        opened.seek(offset)
        for _ in range(count):
            block = bytearray()
            while part := opened.read(min(CHUNK, length - len(block))):
                block += part
            if len(block) < length:
                raise damaged(path)
            yield block


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What goes wrong while a file is read becomes a message."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise damaged(path) from error
    except OSError as error:
        if error.errno is None:  # of bz2: what it unpacks is not its own
            raise damaged(path) from error
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from error


def length_of(path: Path) -> int:
    """Bytes of a file.

    Raises:
        InputError: there is no such file, or it is none that ends.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    return path.stat().st_size


def damaged(path: Path) -> InputError:
    """What is said of a file that ends too soon."""
    return InputError(f"{path}: is damaged or cut short; copy or export it anew")


def too_long(path: Path) -> InputError:
    """What is said of a file that goes on."""
    return InputError(f"{path}: holds more data than its header says; export it anew")


@contextmanager
def _unpacked(file: Any, offset: int, packing: str) -> Iterator[Any]:
    file.seek(offset)
    if packing == "gzip":
        with gzip.GzipFile(fileobj=file) as opened:
            yield opened
    elif packing == "bzip2":
        with bz2.BZ2File(file) as opened:
            yield opened
    else:
        yield _Deflated(file) if packing == "zlib" else file


class _Deflated:
    """A zlib stream, read in parts."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._unpacker = zlib.decompressobj()

    def read(self, count: int) -> bytes:
        while count > 0 and not self._unpacker.eof:
            packed = self._unpacker.unconsumed_tail or self._file.read(CHUNK)
            if not packed:
                raise EOFError
            if part := self._unpacker.decompress(packed, count):
                return part
        return b""


def _written_out(stored: Stored, length: int) -> np.ndarray:
    """Numbers that are written as text or in hexadecimal digits."""
    path, count = stored.path, int(np.prod(stored.shape, dtype=object))
    if count > length:
        raise damaged(path)
    limit = count * LONGEST_NUMBER if stored.packing == "text" else 4 * stored.size
    written = content(path, stored.offset or 0, limit, "raw")
    try:
        if stored.packing == "hex":
            return _shaped(stored, np.frombuffer(bytes.fromhex(written.decode("ascii")), np.uint8))
        values = np.array(bytes(written).split(), dtype=np.float64)
    except ValueError as error:
        raise damaged(path) from error
    if len(values) < count:
        raise damaged(path)
    if len(values) > count:
        raise too_long(path)
    return values.reshape(stored.shape, order="F")


def _shaped(stored: Stored, found: np.ndarray) -> np.ndarray:
    if found.nbytes < stored.size:
        raise damaged(stored.path)
    if found.nbytes > stored.size:
        raise too_long(stored.path)
    return found.view(stored.kind).reshape(stored.shape, order="F")
