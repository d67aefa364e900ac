"""VIF: how much of each source's visual information the fused image keeps."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bundle.metrics.distortion_channel import (
    DistortionChannel,
    distortion_channels,
    total_information,
)
from bundle.metrics.images import as_double

# Variance of the observer's noise, grey levels squared.
NOISE = 2.0


def visual_information(
    fused: torch.Tensor, fixed: torch.Tensor, aligned: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Pixel-domain visual information fidelity (VIFp; Sheikh and Bovik, IEEE TIP 15(2), 2006).

    Equal to torchmetrics' ``visual_information_fidelity(preds=fused, target=source)`` to rounding
    error, but separable: 15 ms instead of 1,080 ms per 256 x 256 picture in float64 on one core.

    Args:
        fused: (B, 1, H, W), luma 0 to 255.
        fixed: as ``fused``.
        aligned: as ``fused``.

    Returns:
        ``VIF_A`` (against fixed), ``VIF_B`` (against aligned) and their mean ``VIF``, (B,) each;
        0 (nothing kept) to 1 (a copy), above 1 where contrast is raised; NaN for a constant source.

    Raises:
        ValueError: H or W is below 41.
    """
    fused, fixed, aligned = as_double(fused=fused, fixed=fixed, aligned=aligned)
    return vif_of_channels(distortion_channels(fused, torch.cat([fixed, aligned], dim=1)))


def vif_of_channels(channels: Sequence[DistortionChannel]) -> dict[str, torch.Tensor]:
    """:func:`visual_information` from channels already fitted.

    Args:
        channels: of the two sources fixed and aligned, finest scale first.

    Returns:
        as :func:`visual_information`.
    """
    kept, available = total_information(channels, NOISE)
    per_source = kept / available
    return {"VIF": per_source.mean(dim=1), "VIF_A": per_source[:, 0], "VIF_B": per_source[:, 1]}
