"""Keep fields smooth and free of folds."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from bundle.geometry.jacobian import cell_determinant


class FoldingLoss(nn.Module):
    """Mean shortfall of the Jacobian determinant of x + ddf(x) below a margin.

    Args:
        margin: determinants above it cost nothing.
    """

    def __init__(self, margin: float = 0.2) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, fields: torch.Tensor) -> torch.Tensor:
        """Compute.

        Args:
            fields: (B, N, 2, H, W), voxels, ij.

        Returns:
            scalar.
        """
        determinant = cell_determinant(fields.flatten(0, 1))[..., :-1, :-1]
        return functional.relu(self.margin - determinant).mean()
