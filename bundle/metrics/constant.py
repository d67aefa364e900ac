"""Small tables of numbers, once per device."""

from __future__ import annotations

from functools import lru_cache

import torch


@lru_cache(maxsize=256)
def constant(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """A tensor (N,) that is made once: a recorded CUDA graph cannot copy numbers from the CPU."""
    with torch.inference_mode(False):  # one made while inferring could not be trained with later
        return torch.tensor(values, device=device, dtype=dtype)
