"""Registration loss: SSIM and L1 of the warped against the aligned moving picture."""

from __future__ import annotations

import torch

from bundle.losses.structure import structure_loss


def registration_loss(warped: torch.Tensor, aligned: torch.Tensor) -> torch.Tensor:
    """SSIM and L1 over luminance and, for colour pictures, chrominance.

    Args:
        warped: (B, C, H, W), C = 1 (luminance) or 3 (Y, Cb, Cr), scale 0 to 1.
        aligned: same shape, the moving picture as it should come out.

    Returns:
        scalar.
    """
    l1 = (warped - aligned).abs().sum(dim=1).mean()
    return l1 + structure_loss(warped, aligned).mean()
