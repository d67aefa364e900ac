"""Registration loss: SSIM and L1 of the warped against the aligned moving picture."""

from __future__ import annotations

import torch
from monai.losses import SSIMLoss
from torch import nn


class RegistrationLoss(nn.Module):
    """SSIM and L1 over luminance and, for colour pictures, chrominance.

    Args:
        ssim_weight: weight of 1 - SSIM beside the L1 term.
    """

    def __init__(self, ssim_weight: float = 1.0) -> None:
        super().__init__()
        self.ssim_weight = ssim_weight
        self.ssim = SSIMLoss(spatial_dims=2, data_range=1.0, win_size=11)

    def forward(self, warped: torch.Tensor, aligned: torch.Tensor) -> torch.Tensor:
        """Compute.

        Args:
            warped: (B, C, H, W), C = 1 (luminance) or 3 (Y, Cb, Cr), scale 0 to 1.
            aligned: same shape, the moving picture as it should come out.

        Returns:
            scalar.
        """
        l1 = (warped - aligned).abs().sum(dim=1).mean()
        return l1 + self.ssim_weight * self.ssim(warped, aligned)
