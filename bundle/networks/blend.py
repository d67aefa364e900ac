"""The fused image: a combination of its two sources that never leaves their range."""

from __future__ import annotations

import torch
from torch.nn import functional

TERMS = 4
"""Coefficients of a pixel: of the fixed image, of the warped one, of their maximum, and added."""


def blend(coefficients: torch.Tensor, fixed: torch.Tensor, warped: torch.Tensor) -> torch.Tensor:
    """Combine two registered images.

    ``clamp(a fixed + b warped + c max(fixed, warped) + d, min, max)`` with the minimum and the
    maximum of the two sources, voxel by voxel: nothing that neither of them shows can appear.

    Args:
        coefficients: (B, 4, ...), a, b, c and d at the size of the images.
        fixed: (B, 1, ...), pictures or volumes.
        warped: (B, 1, ...).

    Returns:
        (B, 1, ...).
    """
    lower, upper = torch.minimum(fixed, warped), torch.maximum(fixed, warped)
    mixed = coefficients[:, 0:1] * fixed + coefficients[:, 1:2] * warped
    mixed = mixed + coefficients[:, 2:3] * upper + coefficients[:, 3:4]
    return torch.minimum(torch.maximum(mixed, lower), upper)


def local_statistics(fixed: torch.Tensor, warped: torch.Tensor, cell: int) -> torch.Tensor:
    """What the pixels of both images do in and around each cell.

    Args:
        fixed: (B, 1, H, W).
        warped: (B, 1, H, W).
        cell: side of a cell in pixels; divides H and W.

    Returns:
        (B, 7, H / cell, W / cell), float32: means of fixed, warped and their maximum in the cell;
        standard deviations of fixed and warped and their covariance, divided by both, in the
        cell and its eight neighbours; the standard deviation of their difference there.
    """
    upper = torch.maximum(fixed, warped)
    means = functional.avg_pool2d(torch.cat([fixed, warped, upper], dim=1).float(), cell)
    values = torch.cat([fixed, warped, fixed - warped], dim=1).float()
    products = torch.cat([values * values, values[:, :1] * values[:, 1:2]], dim=1)
    local = functional.avg_pool2d(
        torch.cat([values, products], dim=1), 3 * cell, cell, cell, count_include_pad=False
    )
    variance = (local[:, 3:6] - local[:, :3] * local[:, :3]).clamp(min=0.0)
    spread = (variance + 1e-6).sqrt()
    covariance = local[:, 6:7] - local[:, 0:1] * local[:, 1:2]
    correlation = covariance / (spread[:, 0:1] * spread[:, 1:2])
    return torch.cat([means, spread, correlation], dim=1)
