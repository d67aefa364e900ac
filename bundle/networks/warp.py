"""Resampling of features by a displacement field on the same token grid."""

from __future__ import annotations

import torch
from torch.nn import functional

from bundle.networks.cross_attention import token_grid


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
