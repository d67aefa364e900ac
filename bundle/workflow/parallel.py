"""What a process of a distributed run has to know about itself."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from itertools import chain, zip_longest
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import Sampler

PATIENCE = datetime.timedelta(days=1)
"""How long a process waits for one whose share takes longer."""


def unwrap(network: torch.nn.Module) -> torch.nn.Module:
    """The network inside DistributedDataParallel, or the network itself."""
    return network.module if isinstance(network, DistributedDataParallel) else network


def local_device() -> torch.device:
    """This process's GPU, or the CPU where there is none; torch gathers objects on it too."""
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
        return device
    return torch.device("cpu")


def is_main_process() -> bool:
    """Whether this process logs, validates and writes."""
    return rank() == 0


def rank() -> int:
    """Number of this process in the run, from 0."""
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    """Number of processes of this run."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def launched() -> Iterator[int]:
    """Join the other processes of a launcher such as torchrun for a while, if there are any.

    Yields:
        how many processes there are.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1 or dist.is_initialized():
        yield world_size()
        return
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield world_size()
    finally:
        dist.destroy_process_group()


class Share(Sampler[int]):
    """Deals the items of a data set to the processes in turn; one may get none.

    Args:
        dataset: whose items are dealt.
    """

    def __init__(self, dataset: Sized) -> None:
        self.places = range(rank(), len(dataset), world_size())

    def __iter__(self) -> Iterator[int]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def mean_over_processes(values: dict[str, float]) -> dict[str, float]:
    """Average figures that every process has under the same names."""
    if world_size() == 1 or not values:
        return values
    total = torch.tensor(list(values.values()), dtype=torch.float64, device=local_device())
    dist.all_reduce(total)
    return dict(zip(values, (total / world_size()).tolist(), strict=True))


def any_process(flag: bool) -> bool:
    """Whether the flag is set in at least one process; all of them have to call it."""
    return max(mean_over_processes({"flag": float(flag)}).values()) > 0


def wait_for_all() -> None:
    """Return when every process has come here; all of them have to call it."""
    any_process(False)  # what one process learns of all takes all; a barrier would need a device


def gather_dealt(items: Sequence[Any]) -> list[Any]:
    """Put a list together that was dealt out in turn, as :class:`Share` does it.

    Args:
        items: this process's part; of ``n`` processes number ``r`` has items r, r + n ...

    Returns:
        the whole list in its order, in every process; all of them have to call it.
    """
    if world_size() == 1:
        return list(items)
    parts: list[Any] = [None] * world_size()
    dist.all_gather_object(parts, list(items))
    missing = object()
    return [item for item in chain(*zip_longest(*parts, fillvalue=missing)) if item is not missing]
