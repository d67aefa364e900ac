"""VIFF: visual information fidelity for fusion, both sources at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bundle.metrics.distortion_channel import DistortionChannel, distortion_channels
from bundle.metrics.images import as_double

# Variance of the observer's noise: 0.5 % of the squared range of 8-bit pictures.
NOISE = 0.005 * 255**2
# Weights of the scales, finest first; they sum to 1.
SCALE_WEIGHTS = (1 / 2.15, 0.0, 0.15 / 2.15, 1 / 2.15)
# Keeps the quotient of an entirely flat scale defined (and 1).
STABILITY = 1e-7


def viff(
    fused: torch.Tensor, fixed: torch.Tensor, aligned: torch.Tensor
) -> dict[str, torch.Tensor]:
    """VIFF (Han, Cai, Cao and Xu, Information Fusion 14(2), 2013) for two sources.

    In every window the source that explains the fused image with the smaller gain is taken: a
    fused window of given contrast needs less gain from the source with the larger variance, the
    more salient one. A window that is flat in one source therefore counts for nothing, and one that
    is anti-correlated with a source counts as lost. Equal gains go to the larger variance. Per
    scale, the kept information over the available one, summed over the windows; then a weighted
    mean over the four scales.

    Args:
        fused: (B, 1, H, W), luma 0 to 255.
        fixed: as ``fused``.
        aligned: as ``fused``.

    Returns:
        ``VIFF`` (B,), 0 to 1 (fused = fixed = aligned), above 1 where contrast is raised.

    Raises:
        ValueError: H or W is below 41.
    """
    fused, fixed, aligned = as_double(fused=fused, fixed=fixed, aligned=aligned)
    return viff_of_channels(distortion_channels(fused, torch.cat([fixed, aligned], dim=1)))


def viff_of_channels(channels: Sequence[DistortionChannel]) -> dict[str, torch.Tensor]:
    """:func:`viff` from channels already fitted.

    Args:
        channels: of the two sources fixed and aligned, finest scale first.

    Returns:
        as :func:`viff`.
    """
    scales = zip(SCALE_WEIGHTS, channels, strict=True)
    total = sum(weight * _fidelity(channel) for weight, channel in scales if weight > 0)
    return {"VIFF": torch.as_tensor(total)}


def _fidelity(channel: DistortionChannel) -> torch.Tensor:
    """Kept over available information at one scale, (B,)."""
    gain_fixed, gain_aligned = channel.gain.unbind(dim=1)
    variance_fixed, variance_aligned = channel.variance.unbind(dim=1)
    tied = (gain_fixed == gain_aligned) & (variance_fixed >= variance_aligned)
    take_fixed = (gain_fixed < gain_aligned) | tied
    kept_fixed, kept_aligned = channel.kept(NOISE).unbind(dim=1)
    available_fixed, available_aligned = channel.available(NOISE).unbind(dim=1)
    kept = torch.where(take_fixed, kept_fixed, kept_aligned) + STABILITY
    available = torch.where(take_fixed, available_fixed, available_aligned) + STABILITY
    return kept.sum(dim=(1, 2)) / available.sum(dim=(1, 2))
