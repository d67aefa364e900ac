"""How much of each source can be read from the fused picture."""

from __future__ import annotations

import torch

from bundle.metrics.distortion_channel import (
    TAPS,
    distortion_channels,
    smallest_side,
    total_information,
)
from bundle.metrics.visual_information import NOISE


def information_loss(
    fused: torch.Tensor, fixed: torch.Tensor, aligned: torch.Tensor
) -> torch.Tensor:
    """Minus the logarithm of VIF (Sheikh and Bovik, IEEE TIP 15(2), 2006) for both sources.

    A logarithm, because a blurred tracer picture keeps a tenth of what the MRI keeps: a step of
    one per cent counts the same for either. In float32, so that gradients pass through; the
    value is that of :func:`bundle.metrics.visual_information.visual_information` to a per cent.
    Pictures too small for all four scales have those that fit.

    Args:
        fused: (B, 1, H, W), scale 0 to 1.
        fixed: as ``fused``.
        aligned: as ``fused``.

    Returns:
        (B, 2): against fixed, against aligned; 0 for a copy and for a source that is blank.

    Raises:
        ValueError: H or W is below 17.
    """
    sources = torch.cat([fixed, aligned], dim=1).float()
    fitting = [k for k in range(1, len(TAPS) + 1) if smallest_side(k) <= min(fused.shape[-2:])]
    channels = distortion_channels(255 * fused.float(), 255 * sources, max(fitting, default=1))
    kept, available = total_information(channels, NOISE)
    return -torch.log((kept + 1.0) / (available + 1.0))
