"""Deformation field loss (Eq. 4): SSIM and L1 of every field against the true one."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from bundle.domain import REFERENCE_SIZE
from bundle.geometry.picture_head import HEAD_BRIGHTNESS
from bundle.losses.structure import structure_loss
from bundle.metrics.endpoint_error import source_in_frame


class FieldLoss(nn.Module):
    """L1 and SSIM of fields, counted where the true source point lies in the frame.

    Args:
        ssim_weight: weight of 1 - SSIM. It is nearly blind to the sign of a field, so L1 has
            to lead.
        ssim_stride: fields are averaged over so many pixels for the SSIM; they are smooth.
        background: weight of pixels outside the head (head: 1).
        balance: px of 256. The L1 of a pair counts by 2 balance / (balance + its mean
            displacement), so that large misalignments do not drown the small ones; 0 = all
            pairs count alike.
    """

    def __init__(
        self,
        ssim_weight: float = 0.1,
        ssim_stride: int = 4,
        background: float = 0.1,
        balance: float = 4.0,
    ) -> None:
        super().__init__()
        self.ssim_weight = ssim_weight
        self.ssim_stride = ssim_stride
        self.background = background
        self.balance = balance

    def forward(
        self, fields: torch.Tensor, true_ddf: torch.Tensor, fixed: torch.Tensor
    ) -> torch.Tensor:
        """Compute.

        Args:
            fields: (B, N, 2, H, W), voxels, ij, pull-back.
            true_ddf: (B, 2, H, W), same convention.
            fixed: (B, 1, H, W) in [0, 1], says where the head is.

        Returns:
            scalar: the L1 (sum of both components) in px of 256, weighted by pixel and pair,
            plus ``ssim_weight`` (1 - SSIM).
        """
        ratio = REFERENCE_SIZE / max(true_ddf.shape[-2:])
        weight = self.pixel_weight(true_ddf, fixed)
        error = (fields.float() - true_ddf[:, None]).abs().sum(dim=2)
        per_pair = (error * weight).mean(dim=(1, 2, 3)) / weight.mean(dim=(1, 2, 3))
        loss = (per_pair * ratio * self._pair_weight(true_ddf)).mean()
        if self.ssim_weight > 0:
            loss = loss + self.ssim_weight * self._ssim(fields.float(), true_ddf)
        return loss

    def pixel_weight(self, true_ddf: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
        """Weight (B, 1, H, W): head 1, background less, outside the frame 0."""
        inside = source_in_frame(true_ddf)[:, None]
        smooth = functional.avg_pool2d(fixed.float(), 7, stride=1, padding=3)
        head = (smooth > HEAD_BRIGHTNESS / 255).float()
        return (inside * (self.background + (1 - self.background) * head)).detach()

    def _pair_weight(self, true_ddf: torch.Tensor) -> torch.Tensor:
        if self.balance == 0:
            return torch.ones(true_ddf.shape[0], device=true_ddf.device)
        ratio = REFERENCE_SIZE / max(true_ddf.shape[-2:])
        rows, columns = true_ddf.unbind(dim=1)
        # torch's norm over a dimension of two takes a hundred times as long
        length = torch.hypot(rows, columns).mean(dim=(1, 2)) * ratio
        return 2 * self.balance / (self.balance + length)

    def _ssim(self, fields: torch.Tensor, true_ddf: torch.Tensor) -> torch.Tensor:
        scale = 16.0 * max(true_ddf.shape[-2:]) / REFERENCE_SIZE
        truth = functional.avg_pool2d(true_ddf, self.ssim_stride) / scale
        flat = functional.avg_pool2d(fields.flatten(1, 2), self.ssim_stride) / scale
        truth = truth.repeat(1, fields.shape[1], 1, 1)
        return structure_loss(flat, truth, size=7, data_range=2.0).mean()
