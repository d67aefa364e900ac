"""Fusion losses: structure of both sources, the brighter value, the stronger gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from monai.losses import SSIMLoss
from torch import nn
from torch.nn import functional


def sobel(image: torch.Tensor) -> torch.Tensor:
    """Signed Sobel gradient along rows and columns: (B, 1, H, W) to (B, 2, H, W)."""
    kernel = image.new_tensor([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]]) / 4
    kernels = torch.stack([kernel, kernel.T])[:, None]
    return functional.conv2d(functional.pad(image, [1, 1, 1, 1], mode="replicate"), kernels)


class FusionLoss(nn.Module):
    """SSIM to both sources, L1 to their maximum, L1 to the stronger signed gradient.

    The moving source is the ALIGNED picture: aiming at the network's own warped one would
    teach ghosts. Signed gradients, because unsigned ones permit flips.

    Args:
        ssim_weight: weight of 1 - SSIM, averaged over the sources.
        fixed_share: share of the fixed source in that average, one or one per modality: CT shows
            by itself what MRI does not, blurred tracer pictures little.
        intensity_weight: weight of L1 to the maximum.
        gradient_weight: weight of L1 to the gradient of larger magnitude.
    """

    def __init__(
        self,
        ssim_weight: float = 1.0,
        fixed_share: float | Mapping[str, float] = 0.5,
        intensity_weight: float = 4.0,
        gradient_weight: float = 4.0,
    ) -> None:
        super().__init__()
        self.ssim_weight = ssim_weight
        self.fixed_share = fixed_share
        self.intensity_weight = intensity_weight
        self.gradient_weight = gradient_weight
        self.ssim = SSIMLoss(spatial_dims=2, data_range=1.0, win_size=11, reduction="none")

    def forward(
        self,
        fused: torch.Tensor,
        fixed: torch.Tensor,
        aligned: torch.Tensor,
        modalities: Sequence[str] = (),
    ) -> dict[str, torch.Tensor]:
        """Compute the three terms, weighted.

        Args:
            fused: (B, 1, H, W), scale 0 to 1.
            fixed: (B, 1, H, W).
            aligned: (B, 1, H, W), luminance of the aligned moving picture.
            modalities: of the moving pictures, B names; needed where shares differ.

        Returns:
            ``fusion_ssim``, ``fusion_intensity`` and ``fusion_gradient``, scalars.

        Raises:
            KeyError: a modality has no share.
        """
        to_fixed, to_aligned = self.ssim(fused, fixed), self.ssim(fused, aligned)  # (B, 1)
        structure = torch.lerp(to_aligned, to_fixed, self._shares(fused, modalities)).mean()
        intensity = functional.l1_loss(fused, torch.maximum(fixed, aligned))
        from_fixed, from_aligned = sobel(fixed), sobel(aligned)
        stronger = from_fixed.norm(dim=1, keepdim=True) > from_aligned.norm(dim=1, keepdim=True)
        target = torch.where(stronger, from_fixed, from_aligned)
        return {
            "fusion_ssim": self.ssim_weight * structure,
            "fusion_intensity": self.intensity_weight * intensity,
            "fusion_gradient": self.gradient_weight * functional.l1_loss(sobel(fused), target),
        }

    def _shares(self, fused: torch.Tensor, modalities: Sequence[str]) -> torch.Tensor:
        """Share of the fixed source, (B, 1) or (1, 1)."""
        if isinstance(self.fixed_share, Mapping):
            return fused.new_tensor([[self.fixed_share[name]] for name in modalities])
        return fused.new_tensor([[self.fixed_share]])
