"""What real pictures suffer from, for batches: scans that end early, and noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from bundle.transforms.batched.random import chosen, normal, uniform


class BatchCut:
    """Blank one side of the moving pictures along a straight line, as the end of a scan does.

    Without it a network takes the rest for a whole head and centres it.

    Args:
        prob: share of pictures that are cut.
        reach: how far the line may lie from the middle, as a share of half the picture's side.
    """

    def __init__(self, prob: float = 0.1, reach: float = 0.4) -> None:
        self.prob = prob
        self.reach = reach

    def __call__(self, batch: dict[str, Any], random: torch.Generator) -> dict[str, Any]:
        """Apply to one batch."""
        moving = batch["moving"]
        one = (len(moving), 1, 1, 1)
        angle = uniform(random, one, 0.0, 2 * math.pi)
        offset = uniform(random, one, -self.reach, self.reach)
        rows = torch.linspace(-1.0, 1.0, moving.shape[-2], device=moving.device)[:, None]
        columns = torch.linspace(-1.0, 1.0, moving.shape[-1], device=moving.device)
        kept = rows * angle.sin() + columns * angle.cos() < offset
        return batch | {"moving": moving * (kept | ~chosen(random, len(moving), self.prob))}


class BatchNoise:
    """Gaussian noise.

    Args:
        keys: pictures that get it, each with its own.
        prob: share of the pairs.
        std: its standard deviation is drawn between 0 and this.
    """

    def __init__(
        self, keys: Sequence[str] = ("fixed", "deformed"), prob: float = 0.1, std: float = 0.03
    ) -> None:
        self.keys = keys
        self.prob = prob
        self.std = std

    def __call__(self, batch: dict[str, Any], random: torch.Generator) -> dict[str, Any]:
        """Apply to one batch."""
        count = len(batch[self.keys[0]])
        std = uniform(random, (count, 1, 1, 1), 0.0, self.std) * chosen(random, count, self.prob)
        noisy = {key: batch[key] + std * normal(random, batch[key].shape) for key in self.keys}
        return batch | noisy
