"""RES: the displacement that is left between warped and aligned, where no true field is known."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from scipy.ndimage import binary_dilation, gaussian_gradient_magnitude

from bundle.metrics.images import as_double

# Room for the flow's patches at the frame's edge, px.
PADDING = 32


def residual_displacement(warped: torch.Tensor, aligned: torch.Tensor) -> dict[str, torch.Tensor]:
    """Mean length of the optical flow from aligned to warped, at the aligned image's edges.

    Dense inverse-search flow (Kroeger et al., ECCV 2016; OpenCV ``DISOpticalFlow``, preset medium,
    finest scale 0, 50 descent and 10 refinement iterations) on 8-bit images padded by 32 px of 0,
    the value outside the frame. It counts where the Gaussian gradient magnitude (sigma 1.5 px) of
    the aligned image is above 4 of 255, dilated twice by one pixel (4-neighbours).

    A blank ``warped`` fools it: never quote it without MAE and NCC.

    Args:
        warped: (B, 1, H, W), luma 0 to 255; rounded to 8 bit.
        aligned: as ``warped``.

    Returns:
        ``RES`` (B,), px, 0 when equal; NaN where the aligned image has no edges.
    """
    warped, aligned = as_double(warped=warped, aligned=aligned)
    pairs = zip(warped[:, 0].cpu().numpy(), aligned[:, 0].cpu().numpy(), strict=True)
    return {"RES": warped.new_tensor([_residual(*pair) for pair in pairs])}


def _residual(warped: np.ndarray, aligned: np.ndarray) -> float:
    """RES of one pair, float arrays (H, W)."""
    edges = binary_dilation(gaussian_gradient_magnitude(aligned, sigma=1.5) > 4, iterations=2)
    if not edges.any():
        return float("nan")
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    flow.setGradientDescentIterations(50)
    flow.setVariationalRefinementIterations(10)
    found = flow.calc(_padded(aligned), _padded(warped), None)  # type: ignore[call-overload]
    inside = found[PADDING:-PADDING, PADDING:-PADDING].astype(np.float64)
    return float(np.linalg.norm(inside, axis=-1)[edges].mean())


def _padded(image: np.ndarray) -> np.ndarray:
    return np.pad(np.clip(np.rint(image), 0, 255).astype(np.uint8), PADDING)
