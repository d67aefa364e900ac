"""Start, resume and checkpoint a training run."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.utils import str2bool

from bundle.errors import InputError
from bundle.networks.weights import load_weights
from bundle.training.checkpoint import (
    LAST,
    BestSaver,
    make_folder,
    of_same_run,
    read_state,
    write_state,
)
from bundle.training.failures import run_or_explain
from bundle.training.resume import EmaProgress, random_states, restore_random
from bundle.training.stopping import EarlyStopping
from bundle.workflow.parallel import is_main_process, local_device, unwrap

__all__ = [
    "is_main_process",
    "local_device",
    "prepare_network",
    "save_state",
    "train",
    "unwrap",
]

logger = logging.getLogger(__name__)
LATER = (EmaProgress, BestSaver, EarlyStopping)
"""Parts of a run that checkpoints of earlier versions lack."""


def prepare_network(
    network: torch.nn.Module,
    device: torch.device,
    initial_weights: str | None = None,
) -> torch.nn.Module:
    """Put the network on its device; start from given weights if any.

    Args:
        network: the network as built.
        device: where it trains.
        initial_weights: a ``state_dict`` to start from, or None.

    Raises:
        InputError: see :func:`bundle.networks.load_weights`.
    """
    if initial_weights:
        load_weights(network, initial_weights)
    return network.to(device)


def train(
    trainer: Engine, saved: dict[str, Any], ckpt_dir: str, resume: bool | str = False
) -> None:
    """Run a trainer with a resumable checkpoint after every epoch.

    A new run keeps the files of an earlier one in the same folder under other names.

    Args:
        trainer: the trainer.
        saved: objects with a ``state_dict`` that make up the state of the run.
        ckpt_dir: folder of the checkpoints.
        resume: go on from the newest complete checkpoint, if there is one.

    Raises:
        InputError: there are no batches, a checkpoint cannot be read or written, or see
            :func:`bundle.training.failures.run_or_explain`.
    """
    resume = str2bool(resume)
    saved = {name: part for name, part in saved.items() if part is not None}
    folder = _prepare(trainer, ckpt_dir, resume)
    if resume and (folder / LAST).is_file():
        restore(saved, folder / LAST)
        trainer.add_event_handler(Events.STARTED, lambda: restore_random(folder / LAST))
        logger.info("resumed from %s, epoch %d", folder / LAST, trainer.state.epoch)
        if trainer.state.epoch >= (trainer.state.max_epochs or 0):
            logger.info("all %d epochs are done; raise max_epochs to go on", trainer.state.epoch)
            return
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: save_state(saved, folder / LAST))
    run_or_explain(trainer, folder)


def _prepare(trainer: Engine, ckpt_dir: str, resume: bool) -> Path:
    """Make the folder of a run that has a batch at least."""
    if _batches(trainer, 1) == 0:
        loader: Any = trainer.data_loader  # type: ignore[attr-defined]
        raise InputError(
            f"{len(loader.dataset)} training pairs do not fill a batch; lower --batch_size "
            f"{loader.batch_size}, or raise --epoch_pairs"
        )
    return make_folder(ckpt_dir, resume)


def restore(saved: dict[str, Any], path: Path) -> None:
    """Load the state of a run; the length of the run and its schedule stay as configured.

    An epoch may have another number of batches now, of more processes or other pairs: what counts
    is the epochs that are done. Checkpoints of earlier versions lack the state of some handlers,
    which then start anew.

    Raises:
        InputError: see :func:`read_state` and :func:`of_same_run`.
    """
    state = read_state(path, [n for n, part in saved.items() if not isinstance(part, LATER)])
    with of_same_run(path):
        _load(saved, state)


def _load(saved: dict[str, Any], state: dict[str, Any]) -> None:
    """Hand each part of a run its state."""
    trainer = state.get("trainer", {"iteration": 0, "epoch_length": 1})
    epochs = trainer["iteration"] // trainer["epoch_length"]
    batches = _batches(saved.get("trainer"), trainer["epoch_length"])
    for name, part in saved.items():
        if isinstance(part, EmaProgress):  # checkpoints without it count by the trainer's steps
            part.load_state_dict(state.get(name) or {"steps": trainer["iteration"]})
        elif isinstance(part, Engine):
            most = part.state.max_epochs or 1
            now = {"epoch_length": batches, "iteration": epochs * batches}
            part.load_state_dict(trainer | now | {"max_epochs": max(most, epochs, 1)})
            part.state.max_epochs = most
        elif isinstance(part, torch.optim.lr_scheduler.LRScheduler):
            ahead = epochs * (batches - trainer["epoch_length"])
            progress = {key: state[name][key] + ahead for key in ("last_epoch", "_step_count")}
            part.load_state_dict(
                part.state_dict() | progress | {"_last_lr": state[name]["_last_lr"]}
            )
        elif isinstance(part, torch.optim.Optimizer):
            _restore_optimizer(part, state[name])
        elif name in state:
            part.load_state_dict(state[name])


def _restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load its state; learning rates follow the schedule as it is configured now.

    How it steps, too: what a GPU needs for a graph a CPU cannot do.
    """
    own = ("initial_lr", "max_lr", "min_lr", "capturable", "foreach")
    configured: list[dict[str, Any]] = [
        {key: group[key] for key in own if key in group} for group in optimizer.param_groups
    ]
    optimizer.load_state_dict(state)
    for group, rates in zip(optimizer.param_groups, configured, strict=True):
        if "initial_lr" in rates and "initial_lr" in group:
            group["lr"] *= rates["initial_lr"] / group["initial_lr"]
        group |= rates


def _batches(trainer: Engine | None, before: int) -> int:
    """Batches of an epoch of a trainer; where it has no data yet, as many as before."""
    loader: Any = getattr(trainer, "data_loader", None)  # of MONAI's trainers
    return before if loader is None else len(loader)


def save_state(saved: dict[str, Any], path: Path) -> None:
    """Write a checkpoint, see :func:`write_state`.

    Every process has to call it, for its random numbers; the main one writes.

    Raises:
        InputError: it cannot be written; ``path`` is as before.
    """
    states = random_states()
    if is_main_process():
        parts = {name: part.state_dict() for name, part in saved.items()}
        write_state(parts | {"random": states}, path)
