"""Make a folder of a data set at once: complete, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bundle.errors import InputError


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Fill a folder beside its place, then move it there.

    Args:
        folder: does not exist yet, or is empty.

    Yields:
        the folder to fill.

    Raises:
        InputError: the folder holds something, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: not empty; name a new or an empty folder")
    staging = None
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.absolute().parent))
        yield staging
        staging.chmod(0o755)
        staging.replace(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        if staging is not None and staging.is_dir():
            shutil.rmtree(staging)
