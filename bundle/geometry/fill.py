"""Continue a volume smoothly into a region that is not to count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
import torch
from torch.nn import functional


def filled(volume: sitk.Image, left_out: sitk.Image) -> sitk.Image:
    """The volume with what is left out replaced by what lies around it.

    Known voxels are averaged to coarser and coarser grids until nothing is unknown, and the gaps
    of each grid are interpolated from the next coarser one (pull-push, Gortler et al., SIGGRAPH
    1996): nothing in the region has an edge, so that nothing there attracts a registration.

    Args:
        volume: a scalar 3D volume.
        left_out: uint8 on its grid, not 0 where values are replaced.

    Returns:
        float64 on the volume's grid; the volume itself where nothing or everything is left out.
    """
    values = torch.from_numpy(sitk.GetArrayFromImage(volume).astype(np.float64))
    known = torch.from_numpy(sitk.GetArrayFromImage(left_out) == 0)
    if known.all() or not known.any():
        return volume
    spacing = list(reversed(volume.GetSpacing()))
    found = sitk.GetImageFromArray(
        _pushed(values[None, None], known[None, None], spacing)[0, 0].numpy()
    )
    found.CopyInformation(volume)
    return found


def _pushed(values: torch.Tensor, known: torch.Tensor, spacing: Sequence[float]) -> torch.Tensor:
    """Fill the gaps of (1, 1, D, H, W) from a grid that is coarser along its finest axes."""
    if known.all():
        return values
    sizes = values.shape[2:]
    finest = min(step for step, size in zip(spacing, sizes, strict=True) if size > 1)
    factors = [
        2 if size > 1 and step < 2 * finest else 1
        for step, size in zip(spacing, sizes, strict=True)
    ]

    def mean(part: torch.Tensor) -> torch.Tensor:
        return functional.avg_pool3d(part, factors, ceil_mode=True, count_include_pad=False)

    share = mean(known.double())
    coarse = mean(values * known) / share.clamp(min=1e-9)
    steps = [step * factor for step, factor in zip(spacing, factors, strict=True)]
    whole = _pushed(coarse, share > 0, steps)
    around = functional.interpolate(whole, sizes, mode="trilinear", align_corners=False)
    return torch.where(known, values, around)
