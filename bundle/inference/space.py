"""Whether results fit where they are to be written."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
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
