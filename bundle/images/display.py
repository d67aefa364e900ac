"""How values are shown: the window in which the network, the measures and the page see an image."""

from __future__ import annotations

import torch

from bundle.domain import Range

HOUNSFIELD = -200.0
AIR = 0.05
"""A volume with this share of its voxels below ``HOUNSFIELD`` holds Hounsfield units: air is -1000.

Other scales start at 0; an MRI that was resampled by splines dips below it at few voxels.
"""


def is_hounsfield(values: torch.Tensor) -> bool:
    """Tell from a volume's values whether they are Hounsfield units."""
    return bool((values < HOUNSFIELD).double().mean() >= AIR)


def percentile_window(values: torch.Tensor, head: torch.Tensor, percentiles: Range) -> Range:
    """The window between two percentiles of the head.

    Args:
        values: of a volume, any shape.
        head: the same shape, not 0 in the head.
        percentiles: lower and upper.

    Returns:
        lower and upper value; of a volume with hardly any distinct values its extremes.
    """
    counted = values > values.min()
    if (counted & (head > 0)).any():
        counted &= head > 0
    inside = values[counted].sort().values
    ranks = [round(p / 100 * (len(inside) - 1)) for p in percentiles]
    lower, upper = inside[ranks[0]].item(), inside[ranks[1]].item()
    return (lower, upper) if lower < upper else (values.min().item(), values.max().item())


def displayed(values: torch.Tensor, window: Range) -> torch.Tensor:
    """Values shown in a window: float32 in [0, 1], the same shape."""
    lower, upper = window
    return ((values - lower) / (upper - lower)).clamp(0, 1).float()
