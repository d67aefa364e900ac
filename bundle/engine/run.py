"""Start, resume and checkpoint a training run."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.handlers import ValidationHandler
from torch.nn.parallel import DistributedDataParallel

from bundle.engine.report import TermLogger
from bundle.errors import or_exit
from bundle.inference.weights import load_weights

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


def unwrap(network: torch.nn.Module) -> torch.nn.Module:
    """The network inside DistributedDataParallel, or the network itself."""
    return network.module if isinstance(network, DistributedDataParallel) else network


def local_device() -> torch.device:
    """This process's GPU, or the CPU where there is none."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device("cpu")


def is_main_process() -> bool:
    """Whether this process logs, validates and writes."""
    return int(os.environ.get("RANK", 0)) == 0


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
        state = torch.load(folder / LAST, map_location="cpu", weights_only=True)
        for name, part in saved.items():
            part.load_state_dict(state[name])
        logger.info("resumed from %s, epoch %d", folder / LAST, trainer.state.epoch)
    if is_main_process():
        trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: save_state(saved, folder / LAST))
    trainer.run()


def save_state(saved: dict[str, Any], path: Path) -> None:
    """Write a checkpoint beside ``path``, then rename: a crash leaves the old one whole."""
    staging = path.with_suffix(".tmp")
    torch.save({name: part.state_dict() for name, part in saved.items()}, staging)
    os.replace(staging, path)
