"""What a run needs, beside weights and optimiser, to go on as if it had not stopped."""

from __future__ import annotations

import logging
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from ignite.handlers import EMAHandler

from bundle.workflow.parallel import rank, world_size

logger = logging.getLogger(__name__)


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
    """State of every random generator that training draws from, as plain tensors and numbers.

    ``cuda`` is the state of this process's GPU; there is none where torch has no GPU.
    """
    numpy_state: Any = np.random.get_state()
    name, keys, *rest = numpy_state
    version, internal, gauss = random.getstate()
    cuda = {"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {}
    return cuda | {
        "torch": torch.get_rng_state(),
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), *rest],
        "python": [version, list(internal), gauss],
    }


def random_states() -> list[dict[str, Any]]:
    """:func:`random_state` of every process, by rank; all of them have to call it."""
    states: list[Any] = [None] * world_size()
    if world_size() == 1:
        return [random_state()]
    dist.all_gather_object(states, random_state())
    return states


def restore_random(path: Path) -> None:
    """Go on with this process's random numbers of a checkpoint.

    A checkpoint without them, or of another number of processes, is tolerated; so is one that
    was written without a GPU: its random numbers are then drawn anew.
    """
    states = torch.load(path, map_location="cpu", weights_only=True).get("random")
    states = [states] if isinstance(states, dict) else states or []
    if len(states) != world_size():
        logger.info("%s: has random numbers of %d processes, drawn anew", path, len(states))
        return
    state = states[rank()]
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
