"""Correspondence loss: the attention's probability of the true match."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class CorrespondenceLoss(nn.Module):
    """Cross-entropy between the attention of a scale and where the tokens truly lie.

    A loss on the mean position alone is least when all tokens look alike: then nothing moves,
    and nothing is learnt. This one asks for tokens that tell their match from all others,
    across modalities (contrastive learning with the truth as the positive pair).
    """

    def forward(
        self, tokens: list[torch.Tensor], true_ddf: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        """Compute.

        Args:
            tokens: per scale queries and keys (B, 2, d, h, w), whose products are logits.
            true_ddf: (B, 2, H, W), voxels, ij, pull-back.
            weight: (B, 1, H, W), how much each pixel counts.

        Returns:
            scalar: mean over scales, in nats.
        """
        return torch.stack([self._scale(one, true_ddf, weight) for one in tokens]).mean()

    def _scale(
        self, tokens: torch.Tensor, true_ddf: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        query, key = tokens[:, 0].flatten(2), tokens[:, 1].flatten(2)
        size = (tokens.shape[-2], tokens.shape[-1])
        log_share = torch.einsum("bdq,bdk->bqk", query, key).log_softmax(dim=-1)
        target = matching_weights(true_ddf, size)
        share = functional.adaptive_avg_pool2d(weight, size).flatten(1)
        share = share * (target.sum(dim=-1) > 0.99)
        return -((target * log_share).sum(dim=-1) * share).sum() / share.sum().clamp(min=1e-6)


def matching_weights(true_ddf: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear weights of every key token at the true match of every query token.

    Args:
        true_ddf: (B, 2, H, W), voxels, ij, pull-back.
        size: (h, w) of the token grid.

    Returns:
        (B, h * w, h * w), queries by keys; rows add up to 1, to less outside the frame.
    """
    stride = true_ddf.shape[-1] / size[1]
    shift = functional.adaptive_avg_pool2d(true_ddf, size) / stride
    rows = torch.arange(size[0], device=shift.device, dtype=shift.dtype)
    columns = torch.arange(size[1], device=shift.device, dtype=shift.dtype)
    at_row = (shift[:, 0] + rows[:, None]).flatten(1)
    at_column = (shift[:, 1] + columns).flatten(1)
    by_row = (1 - (at_row[..., None] - rows).abs()).clamp(min=0)
    by_column = (1 - (at_column[..., None] - columns).abs()).clamp(min=0)
    return (by_row[..., :, None] * by_column[..., None, :]).flatten(2)
