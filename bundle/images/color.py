"""Full-range BT.601 luminance and chrominance (the JPEG/JFIF convention)."""

from __future__ import annotations

import torch

_TO_YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)


def rgb_to_ycbcr(rgb: torch.Tensor) -> torch.Tensor:
    """Convert RGB to full-range YCbCr, with neutral chrominance at 0.

    Args:
        rgb: float tensor (..., 3, H, W), any scale (0 to 1 or 0 to 255).

    Returns:
        (..., 3, H, W) on the same scale: Y in [0, max], Cb and Cr in [-max / 2, max / 2].
    """
    matrix = rgb.new_tensor(_TO_YCBCR)
    return torch.einsum("kc,...chw->...khw", matrix, rgb)


def ycbcr_to_rgb(ycbcr: torch.Tensor) -> torch.Tensor:
    """Invert :func:`rgb_to_ycbcr`; no clipping.

    Args:
        ycbcr: float tensor (..., 3, H, W), chrominance neutral at 0.

    Returns:
        RGB, (..., 3, H, W), on the same scale.
    """
    matrix = torch.linalg.inv(ycbcr.new_tensor(_TO_YCBCR, dtype=torch.float64)).to(ycbcr.dtype)
    return torch.einsum("kc,...chw->...khw", matrix, ycbcr)


def luma(image: torch.Tensor) -> torch.Tensor:
    """Luminance of a grey or colour image.

    Args:
        image: (1, H, W) grey or (3, H, W) RGB, float.

    Returns:
        (1, H, W) on the same scale.

    Raises:
        ValueError: the image has neither 1 nor 3 channels.
    """
    if image.shape[0] == 1:
        return image
    if image.shape[0] != 3:
        raise ValueError(f"expected 1 or 3 channels (grey or RGB), got {image.shape[0]}")
    return rgb_to_ycbcr(image)[:1]
