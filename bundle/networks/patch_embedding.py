"""Multi-Scale Patch Embedding: features of one image to five scales (paper, 2.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from bundle.networks.layers import NormedConv, ResidualBlock, resize_as

# Stride of each scale to the one before; the coarsest patches overlap instead of growing apart.
SCALE_STRIDES = (2, 2, 2, 2, 1)
COARSEST_STRIDE = 16


class MultiScalePatchEmbedding(nn.Module):
    """Embed F (C channels) as F_1 (finest) ... F_n (coarsest).

    Overlapping patch embeddings halve the size from scale to scale; a top-down pass then lends
    every scale the context of the coarser ones, so that each can be matched by itself. Instance
    normalisation makes the embeddings of different modalities comparable.

    Args:
        in_channels: C of the feature extraction.
        channels: C_i per scale, finest first; the strides are 2, 4, 8, 16 and 16.
    """

    def __init__(
        self,
        in_channels: int = 16,
        channels: Sequence[int] = (32, 64, 80, 80, 80),
    ) -> None:
        super().__init__()
        self.embed = nn.ModuleList()
        self.lateral = nn.ModuleList()  # coarsest first, the order of their work
        previous = in_channels
        for width, stride in zip(channels, SCALE_STRIDES, strict=False):
            self.embed.append(
                nn.Sequential(NormedConv(previous, width, stride), NormedConv(width, width))
            )
            previous = width
        for width, coarser in zip(channels[-2::-1], channels[:0:-1], strict=True):
            self.lateral.append(
                nn.Sequential(nn.Conv2d(width + coarser, width, 1), ResidualBlock(width))
            )

    def forward(self, features: torch.Tensor) -> list[torch.Tensor]:
        """Embed.

        Args:
            features: (B, C, H, W), H and W divisible by the coarsest stride.

        Returns:
            one (B, C_i, H_i, W_i) per scale, finest first.
        """
        scales: list[torch.Tensor] = []
        for embed in self.embed:
            features = embed(features)
            scales.append(features)
        for step, lateral in enumerate(self.lateral):
            index = len(scales) - 2 - step
            context = resize_as(scales[index + 1], scales[index])
            scales[index] = lateral(torch.cat([scales[index], context], dim=1))
        return scales
