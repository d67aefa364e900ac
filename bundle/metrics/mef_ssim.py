"""MEF-SSIM: structural similarity to the ideal patch that two sources define."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from bundle.metrics.images import as_double
from bundle.metrics.windows import gaussian_window, window_mean

TAPS = 11
SIGMA = 1.5
STABILITY = (0.03 * 255) ** 2
# Exponents of the scales, finest first: those of MS-SSIM's first three, normalised below.
SCALE_EXPONENTS = (0.0448, 0.2856, 0.3001)
# Patches whose variance is below this (grey levels squared) have no structure.
FLAT = 1e-6
# Where the sources agree the power tends to infinity; beyond this it makes no difference.
LARGEST_POWER = 10.0


def mef_ssim(
    fused: torch.Tensor, fixed: torch.Tensor, aligned: torch.Tensor
) -> dict[str, torch.Tensor]:
    """MEF-SSIM (Ma, Zeng and Wang, IEEE TIP 24(11), 2015), three scales, two sources.

    Every 11 x 11 patch less its mean has a contrast c (Euclidean norm) and a structure s (unit
    vector). The ideal patch has the larger contrast and, as structure, the normalised sum of the
    sources' structures weighted by c^p. The power p = tan(R pi / 2) grows with their agreement
    R = |sum of patches| / sum of |patches|. Its SSIM term without luminance to the fused patch
    (Gaussian window, sigma 1.5) is averaged over the frame; three scales (halved by 2 x 2 means)
    are multiplied with the exponents .0448, .2856, .3001 (normalised to sum 1). Nothing is padded.

    The ideal patch is a linear combination of the two source patches, so all its moments follow
    from window moments of the images; no patch is ever built.

    Args:
        fused: (B, 1, H, W), luma 0 to 255.
        fixed: as ``fused``.
        aligned: as ``fused``.

    Returns:
        ``MEF_SSIM`` (B,), 0 to 1 (fused = fixed = aligned, up to a constant).

    Raises:
        ValueError: H or W is below 44.
    """
    images = torch.cat(as_double(fixed=fixed, aligned=aligned, fused=fused), dim=1)
    quality = images.new_ones(len(images))
    for exponent in SCALE_EXPONENTS:
        quality = quality * _similarity(images) ** (exponent / sum(SCALE_EXPONENTS))
        images = F.avg_pool2d(images, 2)
    return {"MEF_SSIM": quality}


def _similarity(images: torch.Tensor) -> torch.Tensor:
    """Mean similarity (B,) of the fused to the ideal patches at one scale, not below 0.

    ``images`` is (B, 3, H, W): fixed, aligned, fused.
    """
    a, b = _ideal_weights(images[:, :2])
    pairs = ((0, 0), (1, 1), (0, 1), (0, 2), (1, 2), (2, 2))
    fixed, aligned, between, fixed_fused, aligned_fused, fused = _covariances(
        images, pairs, gaussian_window(TAPS, SIGMA)
    )
    shared = a * fixed_fused + b * aligned_fused
    spread = _variance_of_sum(a, b, fixed, aligned, between)
    quality = (2 * shared + STABILITY) / (spread + fused + STABILITY)
    return quality.mean(dim=(1, 2)).clamp(min=0)


def _ideal_weights(sources: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Factors (B, h, w) with which fixed and aligned patches add up to the ideal patch."""
    pairs = ((0, 0), (1, 1), (0, 1))
    moments = _covariances(sources, pairs, np.full(TAPS, 1 / TAPS))
    contrast_fixed, contrast_aligned = (
        torch.where(variance > FLAT, variance, 0.0).sqrt() for variance in moments[:2]
    )
    largest = torch.maximum(contrast_fixed, contrast_aligned)
    some_contrast = torch.where(largest > 0, largest, 1.0)

    norm_of_sum = _variance_of_sum(1.0, 1.0, *moments).clamp(min=0).sqrt()
    agreement = norm_of_sum / torch.where(largest > 0, contrast_fixed + contrast_aligned, 1.0)
    power = torch.tan(agreement.clamp(max=1) * math.pi / 2).clamp(0, LARGEST_POWER)

    def factor(contrast: torch.Tensor) -> torch.Tensor:
        # c^p times the structure, which is patch / c; relative to the largest against overflow
        weight = (contrast / some_contrast) ** power
        return torch.where(contrast > 0, weight / contrast.clamp(min=FLAT), 0.0)

    a, b = factor(contrast_fixed), factor(contrast_aligned)
    length = _variance_of_sum(a, b, *moments).clamp(min=0).sqrt()
    # Opposite structures of equal weight cancel: the ideal patch is then flat.
    scale = torch.where(length > 1e-6, largest / length.clamp(min=1e-6), 0.0)
    return scale * a, scale * b


def _variance_of_sum(
    a: torch.Tensor | float,
    b: torch.Tensor | float,
    fixed: torch.Tensor,
    aligned: torch.Tensor,
    between: torch.Tensor,
) -> torch.Tensor:
    """Variance of a * fixed + b * aligned from their variances and covariance."""
    return a * a * fixed + b * b * aligned + 2 * a * b * between


def _covariances(
    images: torch.Tensor, pairs: Sequence[tuple[int, int]], window: np.ndarray
) -> list[torch.Tensor]:
    """Covariance (B, h, w) of every given pair of channels of (B, C, H, W) in every window."""
    mean = window_mean(images, window)
    products = torch.stack([images[:, k] * images[:, m] for k, m in pairs], dim=1)
    raw = window_mean(products, window)
    return [raw[:, n] - mean[:, k] * mean[:, m] for n, (k, m) in enumerate(pairs)]
