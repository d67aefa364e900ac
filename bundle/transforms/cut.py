"""Moving pictures that end where the scan ended."""

from __future__ import annotations

import math
from typing import Any

import torch

from bundle.transforms.random import chosen, uniform


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
