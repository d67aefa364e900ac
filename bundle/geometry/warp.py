"""Resampling with a displacement field: of features in the network, and of images as ITK does it.

A ddf is in voxels, its channels in the order of the array axes (row i, column j), and pulls back:
``warped(x) = moving(x + ddf(x))``.
"""

from __future__ import annotations

import torch
from torch.nn import functional


def token_grid(reference: torch.Tensor, stride: int = 1) -> torch.Tensor:
    """Token coordinates (1, 2, H, W), float32, channel 0 = row i, channel 1 = column j.

    Args:
        reference: gives H, W and the device.
        stride: tokens pooled by so much have their coordinates on the grid before pooling.
    """
    height, width = reference.shape[-2], reference.shape[-1]
    rows = torch.arange(height, device=reference.device, dtype=torch.float32)
    columns = torch.arange(width, device=reference.device, dtype=torch.float32)
    rows, columns = rows * stride + 0.5 * (stride - 1), columns * stride + 0.5 * (stride - 1)
    grid = torch.stack(
        [rows[:, None].expand(height, width), columns[None, :].expand(height, width)]
    )
    return grid[None]


def warp_tokens(
    features: torch.Tensor, displacement: torch.Tensor, padding_mode: str = "border"
) -> torch.Tensor:
    """Pull features back: ``out(x) = features(x + displacement(x))``, bilinear, float32.

    The same as MONAI's ``Warp`` (which a test holds it to), but scriptable, exportable and
    without a cached grid.

    Args:
        features: (B, C, H, W).
        displacement: (B, 2, H, W) in tokens (voxels at full size), channel 0 = row i,
            channel 1 = column j.
        padding_mode: ``border`` or ``zeros``, what lies outside.

    Returns:
        (B, C, H, W), float32.
    """
    height, width = features.shape[-2], features.shape[-1]
    points = token_grid(features) + displacement.float()
    rows = points[:, 0] * (2.0 / max(height - 1, 1)) - 1.0
    columns = points[:, 1] * (2.0 / max(width - 1, 1)) - 1.0
    return functional.grid_sample(
        features.float(),
        torch.stack([columns, rows], dim=-1),
        mode="bilinear",
        padding_mode=padding_mode,
        align_corners=True,
    )


def warp(moving: torch.Tensor, ddf: torch.Tensor, outside: float = 0.0) -> torch.Tensor:
    """Resample an image with a displacement field exactly as ITK does it.

    Inside the image this is MONAI's ``Warp`` (bilinear, ``align_corners=True``). At the rim ITK
    holds the outermost value over half a voxel and then changes to ``outside``, where a
    ``zeros`` padding would fade over a whole one; the results on disk follow ITK, so that
    applying the written field gives the written image.

    Args:
        moving: (B, C, H, W).
        ddf: (B, 2, H, W), voxels, channel 0 = row i, channel 1 = column j, pull-back.
        outside: the value where the field points out of the moving image.

    Returns:
        (B, C, H, W) float64: ``moving(x + ddf(x))``.
    """
    moving, ddf = moving.double(), ddf.double()
    size = torch.tensor(moving.shape[-2:], dtype=ddf.dtype, device=ddf.device)
    axes = [torch.arange(n, dtype=ddf.dtype, device=ddf.device) for n in moving.shape[-2:]]
    points = (torch.stack(torch.meshgrid(*axes, indexing="ij")) + ddf).movedim(1, -1)
    inside = ((points >= -0.5) & (points < size - 0.5)).all(-1).unsqueeze(1)
    normalized = points * (2 / (size - 1)) - 1
    warped = functional.grid_sample(
        moving, normalized.flip(-1), mode="bilinear", padding_mode="border", align_corners=True
    )
    return torch.where(inside, warped, outside)
