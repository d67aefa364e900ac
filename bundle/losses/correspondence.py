"""Correspondence loss: the probability that a window gives to the true match."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional


class CorrespondenceLoss(nn.Module):
    """Cross-entropy between the attention in a window and where the tokens truly lie.

    A loss on the mean position alone is least when all tokens look alike: then nothing moves,
    and nothing is learnt. This one asks for tokens that tell their match from their neighbours,
    across modalities (contrastive learning with the truth as the positive pair).
    """

    def forward(
        self, windows: list[torch.Tensor], true_ddf: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        """Compute.

        Args:
            windows: logits per scale, (B, (2 r + 1)^2, h, w); offsets in tokens, rows first.
            true_ddf: (B, 2, H, W), voxels, ij, pull-back.
            weight: (B, 1, H, W), how much each pixel counts.

        Returns:
            scalar: mean over scales, in nats.
        """
        return torch.stack([self._scale(one, true_ddf, weight) for one in windows]).mean()

    def _scale(
        self, logits: torch.Tensor, true_ddf: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        size = (logits.shape[-2], logits.shape[-1])
        radius = (math.isqrt(logits.shape[1]) - 1) // 2
        target = matching_weights(true_ddf, size, radius)
        share = functional.adaptive_avg_pool2d(weight, size)[:, 0]
        share = share * (target.sum(dim=1) > 0.99)  # only what lies within the window
        entropy = -(target * logits.float().log_softmax(dim=1)).sum(dim=1)
        # a mean over pairs of means over tokens: the same however a batch is split
        per_pair = (entropy * share).sum(dim=(1, 2)) / share.sum(dim=(1, 2)).clamp(min=1e-6)
        return per_pair.mean()


def matching_weights(true_ddf: torch.Tensor, size: tuple[int, int], radius: int) -> torch.Tensor:
    """Bilinear weights of the offsets of a window at the true match of every token.

    Args:
        true_ddf: (B, 2, H, W), voxels, ij, pull-back.
        size: (h, w) of the token grid.
        radius: reach of the window in tokens.

    Returns:
        (B, (2 radius + 1)^2, h, w); adds up to 1, to less where the match lies outside.
    """
    stride = true_ddf.shape[-1] / size[1]
    shift = functional.adaptive_avg_pool2d(true_ddf, size) / stride
    steps = torch.arange(-radius, radius + 1, device=shift.device, dtype=shift.dtype)
    distance = (shift[:, :, None] - steps[:, None, None]).abs()
    by_row, by_column = (1 - distance).clamp(min=0).unbind(dim=1)
    return (by_row[:, :, None] * by_column[:, None, :]).flatten(1, 2)
