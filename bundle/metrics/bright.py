"""Bright: how much of the moving picture's brightest places fusion shows, bone in CT above all."""

from __future__ import annotations

import torch

from bundle.metrics.images import as_double

BRIGHT = 230.0
SMALLEST = 0.0015  # of all pixels, 100 of 256 x 256; fewer say nothing


def bright_kept(fused: torch.Tensor, warped: torch.Tensor) -> dict[str, torch.Tensor]:
    """Mean of ``fused / warped``, at most 1, over the pixels where the warped picture is bright.

    Measures of edges, information and structure can gain when bone is left out where the MRI has
    texture. This one tells: a fused picture without the bone has the MRI's dark skull there.

    Args:
        fused: (B, 1, H, W), luma 0 to 255.
        warped: the method's own warped moving picture, as ``fused``.

    Returns:
        ``Bright`` (B,), 0 (black) to 1 (all of it, as the maximum of both has); NaN with fewer
        than 0.15 % of the pixels at 230 or more.
    """
    fused, warped = as_double(fused=fused, warped=warped)
    bright = warped >= BRIGHT
    share = torch.where(bright, fused / warped.clamp(min=BRIGHT), 0.0).clamp(max=1.0)
    count = bright.sum(dim=(1, 2, 3))
    few = count < SMALLEST * bright[0].numel()
    return {"Bright": share.sum(dim=(1, 2, 3)) / torch.where(few, torch.nan, count)}
