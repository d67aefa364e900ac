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


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def same_files(train: Iterable[Path], val: Iterable[Path]) -> Iterator[Finding]:
    """Files of the validation that are training files too."""
    contents = {digest(path): path for path in train}
    for path in val:
        same = contents.get(digest(path))
        if same:
            yield Finding(f"{path}: is the same as {same} in train; keep it in one", error=False)
