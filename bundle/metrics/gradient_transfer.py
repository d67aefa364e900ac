"""Q^AB/F: how much of the sources' edges the fused image keeps."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from bundle.metrics.images import as_double

# Sigmoids of Xydeas and Petrovic: amplitude, slope, midpoint.
STRENGTH = (0.9994, -15.0, 0.5)
ORIENTATION = (0.9879, -22.0, 0.8)


def gradient_transfer(
    fused: torch.Tensor, fixed: torch.Tensor, aligned: torch.Tensor
) -> dict[str, torch.Tensor]:
    r"""Edge transfer Q^AB/F (Xydeas and Petrovic, Electronics Letters 36(4), 2000).

    Sobel with zero padding gives strength g and orientation a = atan(s_i / s_j) in
    (-pi/2, pi/2] for every image. For a source S and the fused image F, per pixel:

    - relative strength G = min(g_F / g_S, g_S / g_F), relative orientation
      A = 1 - |a_S - a_F| / (pi/2), the difference taken without wrap-around;
    - preservation Q = sigmoid(G) sigmoid(A), sigmoid(x) = gamma / (1 + exp(kappa (x - sigma))).

    Every term is the mean of the preservation weighted by the sources' strengths.

    Args:
        fused: (B, 1, H, W), luma 0 to 255.
        fixed: as ``fused``.
        aligned: as ``fused``.

    Returns:
        ``Q`` over both sources, ``Q_A`` (fixed alone), ``Q_B`` (aligned alone), (B,) each, from
        about 0 to 0.9748, the value for fused = fixed = aligned; NaN for sources without any edge.
    """
    images = torch.cat(as_double(fused=fused, fixed=fixed, aligned=aligned), dim=1)
    strength, orientation = _sobel(images)
    weight = strength[:, 1:]
    kept = weight * _preservation(strength, orientation)
    kept, weight = kept.sum(dim=(2, 3)), weight.sum(dim=(2, 3))
    per_source = kept / weight
    return {
        "Q": kept.sum(dim=1) / weight.sum(dim=1),
        "Q_A": per_source[:, 0],
        "Q_B": per_source[:, 1],
    }


def _sobel(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Strength and orientation of the gradient of every channel, zeros outside the frame."""
    padded = F.pad(images, (1, 1, 1, 1))
    smooth_i = padded[..., :-2, :] + 2 * padded[..., 1:-1, :] + padded[..., 2:, :]
    smooth_j = padded[..., :-2] + 2 * padded[..., 1:-1] + padded[..., 2:]
    along_j = smooth_i[..., 2:] - smooth_i[..., :-2]
    along_i = smooth_j[..., 2:, :] - smooth_j[..., :-2, :]
    # pi/2 whatever the sign, so that edges of either polarity have one orientation
    vertical = torch.full_like(along_j, math.pi / 2)
    orientation = torch.where(along_j == 0, vertical, torch.atan(along_i / along_j))
    return torch.hypot(along_i, along_j), orientation


def _preservation(strength: torch.Tensor, orientation: torch.Tensor) -> torch.Tensor:
    """Preservation (B, 2, H, W) of both sources (channels 1, 2) in the fused image (channel 0)."""
    fused, sources = strength[:, :1], strength[:, 1:]
    stronger = torch.maximum(fused, sources)
    # Where both are flat the source's weight is 0, so any finite ratio will do.
    ratio = torch.minimum(fused, sources) / torch.where(stronger == 0, 1.0, stronger)
    turn = (orientation[:, 1:] - orientation[:, :1]).abs() / (math.pi / 2)
    return preservation(ratio, turn)


def preservation(ratio: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    """How much of an edge is kept, 0 to 0.9748, element by element.

    Args:
        ratio: weaker over stronger gradient, 0 to 1.
        turn: angle between the gradients over pi / 2.

    Returns:
        product of the sigmoids of strength and orientation.
    """
    return _sigmoid(ratio, *STRENGTH) * _sigmoid(1 - turn, *ORIENTATION)


def _sigmoid(value: torch.Tensor, gamma: float, kappa: float, sigma: float) -> torch.Tensor:
    return gamma / (1 + torch.exp(kappa * (value - sigma)))
