"""Where the optimisers look: the head and a rim around it."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import binary_dilation, binary_fill_holes

from bundle.domain import REFERENCE_SIZE
from bundle.geometry.picture_head import head_mask

RIM = 8  # px of 256: the outline of the head is what tells most


def optimiser_mask(fixed: torch.Tensor) -> np.ndarray:
    """The head without holes, with a rim of background.

    Args:
        fixed: (1, 1, H, W), luma 0 to 255.

    Returns:
        bool (H, W); the whole frame where the picture is black.
    """
    head = head_mask(fixed)[0].cpu().numpy()
    if not head.any():
        return np.ones_like(head)
    rim = max(1, round(RIM * max(head.shape) / REFERENCE_SIZE))
    return binary_dilation(binary_fill_holes(head), iterations=rim)
