"""One run at a time works in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from bundle.errors import InputError

try:
    import fcntl
except ImportError:  # Windows: nothing keeps a second run away
    fcntl = None  # type: ignore[assignment]

_OURS: ContextVar[frozenset[Path]] = ContextVar("_OURS", default=frozenset())
"""The folders that this thread holds."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder; the run that holds it may ask for it again.

    The system lets go of it when the process ends, however it ends. Where a file system knows no
    locks, nobody is kept out.

    Args:
        folder: made if necessary, and removed at the end if nothing was put there.

    Raises:
        InputError: another run holds it, or it cannot be made.
    """
    key = folder.resolve()
    if key in _OURS.get():
        yield
        return
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        place = _locked(folder)
        before = _OURS.set(_OURS.get() | {key})
        try:
            yield
        finally:
            _OURS.reset(before)
            if place is not None:
                os.close(place)
    finally:
        for path in made:
            with suppress(OSError):  # not there, or something is in it
                path.rmdir()


def _locked(folder: Path) -> int | None:
    """Make and lock a folder; the descriptor that keeps it locked."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = os.open(folder, os.O_RDONLY) if fcntl else None
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written to ({error.strerror or error}); choose another output_dir"
        ) from error
    if place is None:
        return None
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(place)
        raise InputError(
            f"{folder}: another run is at work here; wait for it, or choose another output_dir"
        ) from None
    except OSError:  # a file system without locks
        pass
    return place
