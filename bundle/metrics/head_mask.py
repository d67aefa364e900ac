"""The part of the frame in which displacements are judged."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from bundle.metrics.images import as_double


def head_mask(fixed: torch.Tensor) -> torch.Tensor:
    """Where the fixed image, smoothed by a Gaussian of 2 px, is brighter than 15 of 255.

    Args:
        fixed: (B, 1, H, W), luma 0 to 255.

    Returns:
        bool, (B, H, W), on the device of ``fixed``.
    """
    (fixed,) = as_double(fixed=fixed)
    smooth = [gaussian_filter(image, sigma=2) for image in fixed[:, 0].cpu().numpy()]
    return torch.from_numpy(np.stack(smooth) > 15).to(fixed.device)
