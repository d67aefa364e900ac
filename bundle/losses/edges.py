"""How much of the sources' edges the fused picture keeps."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from bundle.metrics.constant import constant
from bundle.metrics.gradient_transfer import preservation

SOBEL = (0.25, 0.5, 0.25, 0.0, 0.0, 0.0, -0.25, -0.5, -0.25)

# Strengths below this, in grey levels of 1 per pixel, are flat.
FLAT = 1e-3


def sobel(image: torch.Tensor) -> torch.Tensor:
    """Signed Sobel gradient along rows and columns: (B, 1, H, W) to (B, 2, H, W)."""
    kernel = constant(SOBEL, image.device, image.dtype).view(3, 3)
    kernels = torch.stack([kernel, kernel.T])[:, None]
    return functional.conv2d(functional.pad(image, [1, 1, 1, 1], mode="replicate"), kernels)


def edge_loss(fused: torch.Tensor, fixed: torch.Tensor, aligned: torch.Tensor) -> torch.Tensor:
    """1 - Q, the edge transfer of Xydeas and Petrovic (Electronics Letters 36(4), 2000), smooth.

    Unlike :func:`bundle.metrics.gradient_transfer.gradient_transfer` it has a gradient everywhere,
    and it knows polarity: an edge from dark to bright that became one from bright to dark is lost.

    Args:
        fused: (B, 1, H, W), scale 0 to 1.
        fixed: as ``fused``.
        aligned: as ``fused``.

    Returns:
        (B,), from 0.025 (all edges kept) to 1; 1 for sources without any edge.
    """
    gradient = torch.stack([sobel(image.float()) for image in (fused, fixed, aligned)], dim=1)
    strength = torch.sqrt(gradient.square().sum(dim=2) + FLAT**2)  # (B, 3, H, W)
    kept, sources = gradient[:, :1], gradient[:, 1:]
    along = (kept * sources).sum(dim=2)
    across = kept[:, :, 0] * sources[:, :, 1] - kept[:, :, 1] * sources[:, :, 0]
    turn = torch.atan2(across.abs() + FLAT**2, along) / (math.pi / 2)  # 0 to 2
    weaker = torch.minimum(strength[:, :1], strength[:, 1:])
    ratio = weaker / torch.maximum(strength[:, :1], strength[:, 1:])
    weight = strength[:, 1:] - FLAT
    transferred = (weight * preservation(ratio, turn)).sum(dim=(1, 2, 3))
    return 1 - transferred / (weight.sum(dim=(1, 2, 3)) + FLAT)
