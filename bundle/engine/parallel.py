"""What a process of a distributed run has to know about itself."""

from __future__ import annotations

import os

import torch
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
    return int(os.environ.get("RANK", 0)) == 0
