"""How far the recipe is: which stages are begun and done, and that one run at a time is at work."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bundle.errors import InputError
from bundle.training.recipe.files import read_json, sha256, write_json, write_text

try:
    import fcntl
except ImportError:  # Windows: nothing keeps a second run away
    fcntl = None  # type: ignore[assignment]

BEGUN, DONE = "begun", "done.json"
PATIENCE = 10.0
"""Seconds in which a run that was killed lets go of its folder."""


@contextmanager
def held(folder: Path) -> Iterator[tuple[int, ...]]:
    """Keep a second run out of a folder while this process lives, or one that got the descriptor.

    Args:
        folder: is there.

    Yields:
        descriptors for the processes of the stages: one may survive the run that started it.

    Raises:
        InputError: another run is at work.
    """
    place = os.open(folder, os.O_RDONLY) if fcntl else None
    try:
        if place is None:
            yield ()
            return
        _wait_for(place, folder)
        yield (place,)
    finally:
        if place is not None:
            os.close(place)


def _wait_for(place: int, folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise InputError(
                    f"{folder}: another run is at work here; wait for it, or name another "
                    "--output_dir"
                ) from None
            time.sleep(0.1)
        except OSError:  # a file system without locks
            return None


def is_done(folder: Path, fingerprint: str) -> bool:
    """Whether a stage's weights are there and were made of just this.

    Args:
        folder: of the stage.
        fingerprint: of :meth:`Stage.fingerprint`, without overlays: they suit the machine.
    """
    if not (folder / "model.pt").is_file():
        return False
    made = {"fingerprint": fingerprint, "sha256": sha256(folder / "model.pt")}
    return made.items() <= note_of(folder).items()


def note_of(folder: Path) -> dict[str, Any]:
    """What :func:`mark_done` has noted; nothing if the stage is not done."""
    try:
        return read_json(folder / DONE)
    except (FileNotFoundError, InputError):
        return {}


def begin(folder: Path, fingerprint: str) -> bool:
    """Begin a stage, or go on where it was stopped if it was begun with just this.

    Files of any other run in the folder are kept as ``*.earlier.pt``. So are those of a stage that
    was done and whose weights are no longer what they were.

    Args:
        folder: of the stage.
        fingerprint: of :meth:`Stage.fingerprint`, with overlays.

    Returns:
        whether there is a checkpoint to go on from.
    """
    from bundle.training.checkpoint import LAST, make_folder

    note = folder / BEGUN
    begun = note.read_text(encoding="utf-8") if note.is_file() else None
    if begun != fingerprint or (folder / DONE).exists():
        make_folder(str(folder), resume=False)
        (folder / DONE).unlink(missing_ok=True)
        write_text(fingerprint, note)
    return (folder / LAST).is_file()


def mark_done(folder: Path, fingerprint: str, overlays: Sequence[Path] = ()) -> None:
    """Say that a stage is done.

    Raises:
        InputError: it has no weights.
    """
    if not (folder / "model.pt").is_file():
        raise InputError(
            f"{folder}: training is done, but model.pt is gone; remove the folder, then the same "
            "command makes it anew"
        )
    write_json(
        {
            "fingerprint": fingerprint,
            "sha256": sha256(folder / "model.pt"),
            "overlays": [path.name for path in overlays],
        },
        folder / DONE,
    )
