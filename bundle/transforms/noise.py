"""Gaussian noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from bundle.transforms.random import chosen, normal, uniform


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
