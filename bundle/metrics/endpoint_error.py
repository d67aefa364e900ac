"""EPE: distance between a displacement field and the true one."""

from __future__ import annotations

import numpy as np
import torch
from monai.utils import convert_to_tensor

from bundle.geometry.picture_head import head_mask


def endpoint_error(
    ddf: torch.Tensor, true_ddf: torch.Tensor, fixed: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and 95th percentile of the Euclidean distance of each field to the true one.

    Convention: channel 0 along rows, channel 1 along columns, voxels, pull-back
    (``warped(x) = moving(x + ddf(x))``). Counted are the pixels of :func:`head_mask` whose true
    source point x + true_ddf(x) lies inside the frame.

    Args:
        ddf: one field (B, 2, H, W) or several (B, N, 2, H, W).
        true_ddf: (B, 2, H, W).
        fixed: (B, 1, H, W), luma 0 to 255.

    Returns:
        mean and 95th percentile, px, (B,) each for one field, (B, N) for several; NaN where no
        pixel counts.

    Raises:
        ValueError: the shapes do not belong together.
    """
    ddf, true_ddf = (
        convert_to_tensor(field, dtype=torch.float64, track_meta=False) for field in (ddf, true_ddf)
    )
    several = ddf if ddf.ndim == 5 else ddf[:, None]
    if several.shape[0] != len(true_ddf) or several.shape[2:] != true_ddf.shape[1:]:
        raise ValueError(
            "expected ddf (B, 2, H, W) or (B, N, 2, H, W) and true_ddf (B, 2, H, W), got "
            f"{tuple(ddf.shape)} and {tuple(true_ddf.shape)}"
        )
    distance = torch.hypot(*(several - true_ddf[:, None]).unbind(dim=2)).cpu().numpy()
    counted = (head_mask(fixed) & source_in_frame(true_ddf)).cpu().numpy()
    per_image = [_mean_and_p95(fields[:, on]) for fields, on in zip(distance, counted, strict=True)]
    mean, high = torch.from_numpy(np.stack(per_image, axis=1)).to(ddf.device)
    return mean.reshape(ddf.shape[:-3]), high.reshape(ddf.shape[:-3])


def _mean_and_p95(distance: np.ndarray) -> np.ndarray:
    """Mean and 95th percentile (2, N) of distances (N, pixels)."""
    if distance.shape[1] == 0:
        return np.full((2, len(distance)), np.nan)
    # numpy, because torch sorts all values for a quantile (13 times slower)
    return np.stack([distance.mean(axis=1), np.quantile(distance, 0.95, axis=1)])


def source_in_frame(ddf: torch.Tensor) -> torch.Tensor:
    """Pixels whose source point lies between the frame's first and last pixel centres.

    Args:
        ddf: (B, 2, H, W), voxels, ij, pull-back.

    Returns:
        bool, (B, H, W).
    """
    height, width = ddf.shape[-2:]
    rows = torch.arange(height, device=ddf.device)[:, None] + ddf[:, 0]
    columns = torch.arange(width, device=ddf.device) + ddf[:, 1]
    inside_rows = (rows >= 0) & (rows <= height - 1)
    return inside_rows & (columns >= 0) & (columns <= width - 1)
