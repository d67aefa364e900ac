"""What a process of a distributed run has to know about itself."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


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
    return rank() == 0


def rank() -> int:
    """Number of this process in the run, from 0."""
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    """Number of processes of this run."""
    return dist.get_world_size() if dist.is_initialized() else 1


def mean_over_processes(values: dict[str, float]) -> dict[str, float]:
    """Average figures that every process has under the same names."""
    if world_size() == 1 or not values:
        return values
    total = torch.tensor(list(values.values()), dtype=torch.float64, device=local_device())
    dist.all_reduce(total)
    return dict(zip(values, (total / world_size()).tolist(), strict=True))
