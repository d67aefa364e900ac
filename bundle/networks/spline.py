"""Cubic B-spline upsampling of coarse displacement fields."""

from __future__ import annotations

import torch

from bundle.networks.precision import float32_product


def spline_weights(out_size: int, in_size: int, reference: torch.Tensor) -> torch.Tensor:
    """Weights of ``in_size`` evenly spread control points at ``out_size`` pixels.

    Control point c sits in the middle of its ``out_size / in_size`` pixels. The weights are the
    uniform cubic B-spline B3, renormalised at the borders so that constants stay constant.

    Args:
        out_size: pixels.
        in_size: control points.
        reference: gives the device.

    Returns:
        (out_size, in_size), float32; rows add up to 1.
    """
    pixels = torch.arange(out_size, device=reference.device, dtype=torch.float32)
    points = torch.arange(in_size, device=reference.device, dtype=torch.float32)
    position = (pixels + 0.5) * (in_size / out_size) - 0.5
    distance = (position[:, None] - points[None, :]).abs()
    weights = (2.0 - distance).clamp(min=0.0) ** 3 - 4.0 * (1.0 - distance).clamp(min=0.0) ** 3
    return weights / weights.sum(dim=1, keepdim=True)


def spline_upsample(control: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Evaluate cubic B-splines: (..., h, w) control values to (..., height, width), float32.

    Values are not rescaled: a field in pixels stays in pixels.
    """
    down = spline_weights(height, control.shape[-2], control)
    across = spline_weights(width, control.shape[-1], control)
    return float32_product(float32_product(down, control), across.transpose(0, 1))
