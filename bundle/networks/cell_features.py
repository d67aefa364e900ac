"""Features of two volumes of different contrast, and how alike they are at and near each cell."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

OFFSETS = ((1, 1, 1), (0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 2, 1), (1, 1, 0), (1, 1, 2))
"""Corners of a volume in the same one padded by a cell: its own place and its six neighbours."""


class CellFeatures(nn.Module):
    """Features of unit length per cell, from the cell's voxels and its neighbours'.

    Args:
        inputs: channels in.
        outputs: length of a feature.
    """

    def __init__(self, inputs: int, outputs: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(inputs, 2 * outputs, 3, padding=1),
            nn.ReLU(),
            nn.Conv3d(2 * outputs, outputs, 3, padding=1),
        )

    def forward(self, cells: torch.Tensor) -> torch.Tensor:
        """(B, inputs, h, w, d) to (B, outputs, h, w, d), float32, of length 1."""
        return functional.normalize(self.layers(cells).float(), dim=1)


def neighbour_correlation(fixed: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
    """Cosine of the fixed features with the moving ones at the same place and one cell around it.

    Args:
        fixed: (B, C, h, w, d), of unit length.
        moving: the same shape; beyond its border the outermost cells go on.

    Returns:
        (B, 7, h, w, d): the same place, one cell before and after along each axis in turn.
    """
    height, width, depth = fixed.shape[2:]
    padded = functional.pad(moving, [1] * 6, mode="replicate")
    return torch.stack(
        [
            (fixed * padded[..., i : i + height, j : j + width, k : k + depth]).sum(dim=1)
            for i, j, k in OFFSETS
        ],
        dim=1,
    )
