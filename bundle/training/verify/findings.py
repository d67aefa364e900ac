"""What a check of a folder finds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "val")


@dataclass(frozen=True)
class Finding:
    """Something about a folder that the user should know.

    Attributes:
        message: one line that names the file and the remedy.
        error: whether training or evaluation would fail on it; otherwise a warning.
    """

    message: str
    error: bool = True


def digest(path: Path) -> str | None:
    """SHA-256 of a file; None where it cannot be read, which is told as a finding."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def digests(paths: Iterable[Path]) -> dict[str, Path]:
    """The files that can be read, by their SHA-256."""
    return {found: path for path in paths if (found := digest(path))}


def same_files(train: Iterable[Path], val: Iterable[Path]) -> Iterator[Finding]:
    """Files of the validation that are training files too."""
    contents = digests(train)
    for path in val:
        same = contents.get(digest(path) or "")
        if same:
            yield Finding(f"{path}: is the same as {same} in train; keep it in one", error=False)
