"""How values are shown: the window in which the network, the measures and the page see an image."""

from __future__ import annotations

import torch

from bundle.domain import Range

HOUNSFIELD, AIR_SHARE = -200.0, 0.05
"""A volume with this share of its voxels below ``HOUNSFIELD`` holds Hounsfield units: air is -1000.

Other scales start at 0; an MRI that was resampled by splines dips below it at few voxels.
"""

SAMPLES = 1_000_000
"""Voxels out of which the contrast is told."""

TISSUE, BONE, SOME = (5.0, 150.0), 600.0, 0.005
"""In a CT of a head the median of what is no air is that of soft tissue, between these HU, and this
share of it is bone."""


def is_hounsfield(values: torch.Tensor) -> bool:
    """Tell from a volume's values whether they are Hounsfield units."""
    return int((values < HOUNSFIELD).count_nonzero()) >= AIR_SHARE * values.numel()


def looks_like_ct(values: torch.Tensor) -> bool:
    """Whether values of which nothing says the modality are most likely those of a CT of a head.

    Beside air there have to be water and bone: an MRI or PET with a negative background has them
    only by chance.
    """
    if not is_hounsfield(values):
        return False
    body = values[values >= HOUNSFIELD]
    body = body[:: body.numel() // SAMPLES + 1].double()
    if not body.numel():
        return False
    middle = body.median()
    return bool(TISSUE[0] <= middle <= TISSUE[1] and (body > BONE).double().mean() >= SOME)


def percentile_window(values: torch.Tensor, head: torch.Tensor, percentiles: Range) -> Range:
    """The window between two percentiles of the head.

    Args:
        values: of a volume, any shape.
        head: the same shape, not 0 in the head.
        percentiles: lower and upper.

    Returns:
        lower and upper value; of a volume with hardly any distinct values its extremes.
    """
    lowest = values.amin().item()  # several times as fast as min
    inside = values.numpy()[head.numpy() > 0]
    inside = inside[inside > lowest]
    counted = inside if inside.size else values[values > lowest].numpy()
    ranks = [round(p / 100 * (len(counted) - 1)) for p in percentiles]
    counted.partition(ranks)
    lower, upper = counted[ranks[0]].item(), counted[ranks[1]].item()
    return (lower, upper) if lower < upper else (values.min().item(), values.max().item())


def displayed(values: torch.Tensor, window: Range) -> torch.Tensor:
    """Values shown in a window: float32 in [0, 1], the same shape."""
    lower, upper = window
    return (values - lower).div_(upper - lower).clamp_(0, 1).float()
