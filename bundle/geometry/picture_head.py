"""Where the head is in a picture."""

from __future__ import annotations

import numpy as np
import torch
from monai.utils import convert_to_tensor
from scipy.ndimage import gaussian_filter

HEAD_BRIGHTNESS = 15.0
"""Of 255, in pictures: what is brighter belongs to the head."""


def head_mask(fixed: torch.Tensor) -> torch.Tensor:
    """Where a picture, smoothed by a Gaussian of 2 px, is brighter than ``HEAD_BRIGHTNESS``.

    Args:
        fixed: (B, 1, H, W), luma 0 to 255.

    Returns:
        bool, (B, H, W), on the device of ``fixed``.

    Raises:
        ValueError: the shape is another.
    """
    if fixed.ndim != 4 or fixed.shape[1] != 1:
        raise ValueError(f"expected pictures (B, 1, H, W), got {tuple(fixed.shape)}")
    pictures = convert_to_tensor(fixed, dtype=torch.float64, track_meta=False)[:, 0]
    smooth = [gaussian_filter(picture, sigma=2) for picture in pictures.cpu().numpy()]
    return torch.from_numpy(np.stack(smooth) > HEAD_BRIGHTNESS).to(fixed.device)
