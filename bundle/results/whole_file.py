"""Files that are written whole or not at all, and whether they fit."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def require_space(folder: Path, size: int) -> None:
    """Reserve space in a folder and give it back at once.

    ITK's NIfTI writer does not notice a full disk: it leaves files that are cut short. So a
    result that does not fit must not be begun.

    Args:
        folder: where the results will be written.
        size: bytes, at least as many as they take.

    Raises:
        OSError: there is not enough space, or a quota or limit forbids files of this size.
    """
    if not hasattr(os, "posix_fallocate"):
        if shutil.disk_usage(folder).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, size)


@contextmanager
def whole_file(path: Path, size: int, overwrite: bool = False) -> Iterator[Path]:
    """Write a file, and what a format puts beside it, elsewhere first; then move it into place.

    Args:
        path: where it belongs.
        size: bytes, at least as many as it takes.
        overwrite: replace what is there.

    Yields:
        a path of the same name in a hidden folder beside it.

    Raises:
        OSError: see :func:`require_space`; or a file is there already.
    """
    path = path.resolve()  # of a link the file that it stands for
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=path.parent) as stage:
        require_space(Path(stage), size)
        yield Path(stage) / path.name
        written = sorted(Path(stage).iterdir(), key=lambda part: part.name == path.name)
        for part in written if not overwrite else ():
            if (path.parent / part.name).exists():
                raise FileExistsError(errno.EEXIST, f"{part.name} exists already", str(path))
        for part in written:  # what belongs to it first
            part.replace(path.parent / part.name)
