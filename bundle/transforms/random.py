"""Random numbers of a batch, drawn on its device."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def uniform(
    random: torch.Generator, shape: Sequence[int], low: float = 0.0, high: float = 1.0
) -> torch.Tensor:
    """Uniform numbers of the given shape in [low, high) on the generator's device."""
    values = torch.rand(*shape, generator=random, device=random.device)
    return low + (high - low) * values


def normal(random: torch.Generator, shape: Sequence[int]) -> torch.Tensor:
    """Standard normal numbers of the given shape on the generator's device."""
    return torch.randn(*shape, generator=random, device=random.device)


def chosen(random: torch.Generator, batch: int, prob: float) -> torch.Tensor:
    """Which pairs are chosen, each with the given probability: (B, 1, 1, 1), boolean."""
    return uniform(random, (batch, 1, 1, 1)) < prob
