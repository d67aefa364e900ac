"""Start, resume and checkpoint a training run."""

from __future__ import annotations

import logging
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from ignite.handlers import EMAHandler
from monai.handlers import ValidationHandler

from bundle.engine.parallel import is_main_process, local_device, unwrap
from bundle.engine.report import TermLogger
from bundle.errors import or_exit
from bundle.inference.weights import load_weights

__all__ = [
    "EmaProgress",
    "local_device",
    "of_this_rank",
    "prepare_network",
    "save_state",
    "train",
    "unwrap",
]

logger = logging.getLogger(__name__)
LAST = "last.pt"


def prepare_network(
    network: torch.nn.Module, device: torch.device, initial_weights: str | None = None
) -> torch.nn.Module:
    """Put the network on its device; start from given weights if any.

    Args:
        network: the network as built.
        device: where it trains.
        initial_weights: a ``state_dict`` to start from, or None.
    """
    if initial_weights:
        or_exit(load_weights, network, initial_weights)
    return network.to(device)


def of_this_rank(handlers: list[Any]) -> list[Any]:
    """All handlers in the main process; elsewhere those that neither report nor validate."""
    if is_main_process():
        return handlers
    return [h for h in handlers if not isinstance(h, (TermLogger, ValidationHandler))]


def train(trainer: Engine, saved: dict[str, Any], ckpt_dir: str, resume: bool) -> None:
    """Run a trainer with a resumable checkpoint after every epoch.

    Args:
        trainer: the trainer.
        saved: objects with a ``state_dict`` that make up the state of the run.
        ckpt_dir: folder of the checkpoints.
        resume: go on from the newest complete checkpoint, if there is one.
    """
    folder = Path(ckpt_dir)
    folder.mkdir(parents=True, exist_ok=True)
    if resume and (folder / LAST).is_file():
        restore(saved, folder / LAST)
        trainer.add_event_handler(Events.STARTED, lambda: restore_random(folder / LAST))
        logger.info("resumed from %s, epoch %d", folder / LAST, trainer.state.epoch)
        if trainer.state.epoch >= (trainer.state.max_epochs or 0):
            logger.info("all %d epochs are done; raise max_epochs to go on", trainer.state.epoch)
            return
    if is_main_process():
        trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: save_state(saved, folder / LAST))
    trainer.run()


def restore(saved: dict[str, Any], path: Path) -> None:
    """Load the state of a run; the length of the run and its schedule stay as configured."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    for name, part in saved.items():
        if isinstance(part, EmaProgress):  # checkpoints without it count by the trainer's steps
            part.load_state_dict(state.get(name) or {"steps": state["trainer"]["iteration"]})
        elif isinstance(part, Engine):
            epochs = part.state.max_epochs or 1
            part.load_state_dict(state[name] | {"max_epochs": max(epochs, _epochs(state[name]))})
            part.state.max_epochs = epochs
        elif isinstance(part, torch.optim.lr_scheduler.LRScheduler):
            progress = {key: state[name][key] for key in ("last_epoch", "_step_count", "_last_lr")}
            part.load_state_dict(part.state_dict() | progress)
        else:
            part.load_state_dict(state[name])


def _epochs(state: dict[str, Any]) -> int:
    """Epochs that a trainer's state has behind it, at least 1."""
    return max(1, state["iteration"] // state["epoch_length"])


class EmaProgress:
    """How far the warm-up of an EMA's momentum is; ignite forgets it on resuming.

    Args:
        handler: the EMA of the run, with or without a warm-up.
    """

    def __init__(self, handler: EMAHandler) -> None:
        self.handler = handler

    @property
    def schedule(self) -> Any:
        """Schedule of the momentum, None without a warm-up."""
        return getattr(self.handler, "momentum_scheduler", None)

    def state_dict(self) -> dict[str, int]:
        """Steps that the warm-up has behind it."""
        schedule = self.schedule
        return {"steps": schedule.event_index if schedule else 0}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after so many steps."""
        if self.schedule:
            self.schedule.event_index = state["steps"]


def random_state() -> dict[str, Any]:
    """State of every random generator that training draws from, as plain tensors and numbers."""
    numpy_state: Any = np.random.get_state()
    name, keys, *rest = numpy_state
    version, internal, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), *rest],
        "python": [version, list(internal), gauss],
    }


def restore_random(path: Path) -> None:
    """Go on with the random numbers of a checkpoint; one without them is tolerated."""
    state = torch.load(path, map_location="cpu", weights_only=True).get("random")
    if state is None:
        return
    torch.set_rng_state(state["torch"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))


def save_state(saved: dict[str, Any], path: Path) -> None:
    """Write a checkpoint beside ``path``, then rename: a crash leaves the old one whole."""
    staging = path.with_suffix(".tmp")
    state = {name: part.state_dict() for name, part in saved.items()} | {"random": random_state()}
    torch.save(state, staging)
    with staging.open("rb+") as file:
        os.fsync(file.fileno())
    staging.replace(path)
