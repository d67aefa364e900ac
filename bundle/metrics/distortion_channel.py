"""The local model behind VIF and VIFF: fused = gain * source + noise, window by window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from bundle.metrics.windows import gaussian_window, window_mean

# Variances below this (grey levels squared) are rounding errors of flat windows.
FLAT = 1e-10

TAPS = (17, 9, 5, 3)
"""Of the windows, finest scale first."""


class DistortionChannel(NamedTuple):
    """Statistics of all windows at one scale, tensors (B, sources, h, w).

    Attributes:
        variance: local variance of the source, grey levels squared.
        gain: regression slope of fused on source, not negative.
        residual: local variance of fused that the source does not explain.
    """

    variance: torch.Tensor
    gain: torch.Tensor
    residual: torch.Tensor

    def kept(self, noise: float) -> torch.Tensor:
        """Information (log10 units) about the source that can be read from the fused image.

        Args:
            noise: variance of the observer's noise, grey levels squared.

        Returns:
            (B, sources, h, w).
        """
        return torch.log10(1 + self.gain**2 * self.variance / (self.residual + noise))

    def available(self, noise: float) -> torch.Tensor:
        """Information that the source itself holds for the same observer.

        Args:
            noise: variance of the observer's noise, grey levels squared.

        Returns:
            (B, sources, h, w).
        """
        return torch.log10(1 + self.variance / noise)


def distortion_channels(
    fused: torch.Tensor, sources: torch.Tensor, scales: int = len(TAPS)
) -> list[DistortionChannel]:
    """Fit the model in the pixel domain at four scales (Sheikh and Bovik, IEEE TIP 15(2), 2006).

    The windows are Gaussians of 17, 9, 5 and 3 taps with sigma = taps / 5; from the second scale on
    the images are first smoothed by that scale's window and halved. No padding anywhere.

    Args:
        fused: (B, 1, H, W), grey levels 0 to 255, float64; float32 where gradients are wanted.
        sources: (B, S, H, W), as ``fused``.
        scales: how many, the finest first.

    Returns:
        finest scale first.

    Raises:
        ValueError: H or W is below :func:`smallest_side`, 41 for all scales.
    """
    height, width = fused.shape[-2:]
    if min(height, width) < (side := smallest_side(scales)):
        raise ValueError(f"VIF and VIFF need at least {side} x {side} px, got {height} x {width}")
    channels = []
    for scale, taps in enumerate(TAPS[:scales]):
        window = gaussian_window(taps, taps / 5)
        if scale > 0:
            fused = window_mean(fused, window)[..., ::2, ::2]
            sources = window_mean(sources, window)[..., ::2, ::2]
        channels.append(_fit(fused, sources, window))
    return channels


def total_information(
    channels: Sequence[DistortionChannel], noise: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Kept and available information over all windows and scales, (B, sources) each.

    Args:
        channels: of all scales.
        noise: variance of the observer's noise, grey levels squared.
    """
    kept = torch.stack([one.kept(noise).sum(dim=(2, 3)) for one in channels])
    available = torch.stack([one.available(noise).sum(dim=(2, 3)) for one in channels])
    return kept.sum(dim=0), available.sum(dim=0)


def smallest_side(scales: int) -> int:
    """Pixels per side that so many scales need: 17, 25, 33 or 41."""
    return 9 + 8 * scales


def _fit(fused: torch.Tensor, sources: torch.Tensor, window: np.ndarray) -> DistortionChannel:
    """Regress fused on every source in every window."""
    mean_fused, mean_source = window_mean(fused, window), window_mean(sources, window)
    energy = (window_mean(fused**2, window) - mean_fused**2).clamp(min=0)
    variance = (window_mean(sources**2, window) - mean_source**2).clamp(min=0)
    covariance = window_mean(fused * sources, window) - mean_fused * mean_source
    gain = covariance / (variance + FLAT)
    residual = energy - gain * covariance

    unrelated = (variance < FLAT) | (gain < 0)
    residual = torch.where(unrelated, energy, residual)
    gain = torch.where(unrelated, 0.0, gain)
    blank = energy < FLAT
    return DistortionChannel(
        variance=torch.where(variance < FLAT, 0.0, variance),
        gain=torch.where(blank, 0.0, gain),
        residual=torch.where(blank, 0.0, residual).clamp(min=FLAT),
    )
