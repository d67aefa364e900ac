"""Files of a training run: whole, or as they were."""

from __future__ import annotations

import errno
import io
import itertools
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events

from bundle.errors import InputError
from bundle.workflow.parallel import is_main_process

logger = logging.getLogger(__name__)
LAST = "last.pt"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a disk, a quota or a limit that leaves no room."""

EQUAL = 1e-3
"""px; of two errors no further apart the newer is taken."""


class BestSaver:
    """Handler of the evaluator: writes the network's weights whenever its EPE is the lowest yet.

    Of equally good ones the newest: training of the reconstruction alone leaves the EPE as it is.

    Its state belongs into the checkpoint of the run: one that goes on compares with what was
    before, unless the file is gone.

    Args:
        network: whose ``state_dict`` is written.
        path: such as ``runs/default/model.pt``.
    """

    def __init__(self, network: torch.nn.Module, path: str) -> None:
        self.network = network
        self.path = Path(path)
        self.best = float("inf")

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator, after what sets the metric ``EPE``."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._look)

    def _look(self, evaluator: Engine) -> None:
        error = float(np.nan_to_num(evaluator.state.metrics["EPE"], nan=np.inf))
        there = self.path.is_file()
        if error < self.best + EQUAL or not there:
            write_state(self.network.state_dict(), self.path)
            self.best = min(error, self.best) if there else error

    def state_dict(self) -> dict[str, float]:
        """The lowest EPE."""
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from an EPE."""
        self.best = state["best"]


def read_state(path: Path, parts: Sequence[str]) -> dict[str, Any]:
    """Read a checkpoint that has to hold some parts.

    Raises:
        InputError: it does not: it is damaged, or a run of another kind wrote it.
        PermissionError: it cannot be opened.
    """
    try:
        state: dict[str, Any] = dict(torch.load(path, map_location="cpu", weights_only=True))
    except PermissionError:  # says itself why, and the file may be whole
        raise
    except Exception as error:  # unpickling a damaged file can raise nearly anything
        raise InputError(
            f"{path}: cannot be read as a checkpoint; start anew with --initial_weights "
            f"{path.parent}/model.pt"
        ) from error
    if not set(parts) <= set(state):
        raise InputError(
            f"{path}: was written with other overlays; resume with the same ones, or name another "
            "--ckpt_dir"
        )
    return state


@contextmanager
def of_same_run(path: Path) -> Iterator[None]:
    """Hand the states of a checkpoint to the parts of a run.

    Args:
        path: the checkpoint.

    Raises:
        InputError: a state does not fit its part: a run with other options wrote it.
    """
    try:
        yield
    except (KeyError, RuntimeError, TypeError, ValueError) as error:  # of any load_state_dict
        raise InputError(
            f"{path}: was written with another network, stage or optimizer; resume with the same "
            f"options, or start anew with --initial_weights {path.parent}/model.pt and another "
            "--ckpt_dir"
        ) from error


def write_state(state: dict[str, Any], path: Path) -> None:
    """Write beside ``path``, then rename: a crash leaves the old file whole.

    Raises:
        InputError: it cannot be written; ``path`` is as before.
    """
    content = io.BytesIO()  # torch does not say why it cannot write a file
    torch.save(state, content)
    staging = path.with_suffix(".tmp")
    try:
        with staging.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        staging.replace(path)
    except OSError as error:
        staging.unlink(missing_ok=True)
        remedy = "make room" if error.errno in FULL else "make its folder writable"
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); {remedy}, then the same command with "
            "--resume true goes on from the last complete checkpoint"
        ) from error


def make_folder(ckpt_dir: str, resume: bool) -> Path:
    """Make the folder of a run.

    Args:
        ckpt_dir: the folder.
        resume: go on if there is a ``last.pt``. A new run would replace files of an earlier one:
            they become ``*.earlier.pt``.

    Raises:
        InputError: it cannot be made.
    """
    folder = Path(ckpt_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made ({error.strerror}); name another --ckpt_dir"
        ) from error
    if resume and (folder / LAST).is_file():
        return folder
    if resume:
        logger.warning("nothing to resume in %s: a new run begins", ckpt_dir)
    old = [folder / name for name in (LAST, "model.pt")]
    for path in old if is_main_process() else []:
        if path.is_file():
            kept = path.replace(_free(path))
            logger.warning("%s: of an earlier run, kept as %s", path, kept.name)
    return folder


def _free(path: Path) -> Path:
    """``last.earlier.pt``, or the first of ``last.earlier2.pt`` ... that is not there."""
    names = itertools.chain([".earlier.pt"], (f".earlier{n}.pt" for n in itertools.count(2)))
    return next(new for new in map(path.with_suffix, names) if not new.exists())
