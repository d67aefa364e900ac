"""Moving pictures that end where the scan ended."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Randomizable, Transform


class RandCutd(Randomizable, Transform):
    """Blank one side of the moving picture along a straight line, as the end of a scan does.

    Without it a network takes the rest for a whole head and centres it.

    Args:
        prob: share of pictures that are cut.
        reach: how far the line may lie from the middle, as a share of half the picture's side.
    """

    def __init__(self, prob: float = 0.1, reach: float = 0.4) -> None:
        self.prob = prob
        self.reach = reach

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Apply to one item with ``moving`` (C, H, W); blank is 0 in all channels."""
        item = dict(data)
        if self.R.uniform() >= self.prob:
            return item
        angle = self.R.uniform(0.0, 2 * math.pi)
        offset = self.R.uniform(-self.reach, self.reach)
        height, width = item["moving"].shape[-2:]
        rows = torch.linspace(-1.0, 1.0, height)[:, None]
        columns = torch.linspace(-1.0, 1.0, width)[None, :]
        kept = rows * math.sin(angle) + columns * math.cos(angle) < offset
        item["moving"] = item["moving"] * kept
        return item
