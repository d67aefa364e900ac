"""Keep fields smooth and free of folds."""

from __future__ import annotations

import torch
from torch.nn import functional

from bundle.geometry.jacobian import cell_determinant

MARGIN = 0.2
"""Determinants above it cost nothing."""


def folding_loss(fields: torch.Tensor) -> torch.Tensor:
    """Mean shortfall of the Jacobian determinant of x + ddf(x) below the margin.

    Args:
        fields: (B, N, 2, H, W), voxels, ij.

    Returns:
        scalar.
    """
    determinant = cell_determinant(fields.flatten(0, 1))[..., :-1, :-1]
    return functional.relu(MARGIN - determinant).mean()
