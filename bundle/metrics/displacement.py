"""How far a field moves the head: on an aligned pair it should not."""

from __future__ import annotations

import torch
from monai.utils import convert_to_tensor

from bundle.geometry.picture_head import head_mask


def displacement(ddf: torch.Tensor, fixed: torch.Tensor) -> dict[str, torch.Tensor]:
    """Mean length of the field inside :func:`head_mask`.

    Args:
        ddf: (B, 2, H, W), voxels.
        fixed: (B, 1, H, W), luma 0 to 255.

    Returns:
        ``displacement`` (B,), px; NaN where the fixed image is black.
    """
    ddf = convert_to_tensor(ddf, dtype=torch.float64, track_meta=False)
    length = torch.hypot(ddf[:, 0], ddf[:, 1])
    mask = head_mask(fixed)
    return {"displacement": (length * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2))}
