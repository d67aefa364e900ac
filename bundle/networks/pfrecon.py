"""PFRecon: progressive coarse-to-fine reconstruction guided by the fields (paper, 2.4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from bundle.networks.blend import TERMS
from bundle.networks.hdfa import HDFA
from bundle.networks.layers import resize_as, small_init
from bundle.networks.restormer import RestormerBlock

STATISTICS = 7
"""Channels of :func:`bundle.networks.blend.local_statistics`."""


class FusionLevel(nn.Module):
    """Eq. 3 at one scale: concat(F_B^re, F_A, F^pre), then a Restormer block.

    Args:
        in_channels: channels of the concatenation.
        channels: channels out.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(in_channels, channels, 1)
        self.block = RestormerBlock(channels)

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        """Fuse a list of (B, *, H, W) to (B, channels, H, W)."""
        return self.block(self.reduce(torch.cat(features, dim=1)))


class PFRecon(nn.Module):
    """Progressive multi-scale flow-guided reconstruction.

    It ends where the feature extraction works, at cells of a few pixels, with the coefficients
    of :func:`bundle.networks.blend.blend`, which makes the fused picture out of them.

    Args:
        in_channels: C of the feature extraction.
        embedded: C_i of the embeddings, finest first.
        channels: channels of the reconstruction per scale, finest first; the first ones also of
            the last level.
        num_flows: fields per scale, 2 for both directions.
        maximum_share: share of the maximum of both sources, the rest is the fixed one, in the
            blend that training starts from.
    """

    def __init__(
        self,
        in_channels: int = 16,
        embedded: Sequence[int] = (32, 64, 80, 80, 80),
        channels: Sequence[int] = (32, 32, 32, 48, 48),
        num_flows: int = 2,
        maximum_share: float = 0.8,
    ) -> None:
        super().__init__()
        self.align = HDFA()
        self.levels = nn.ModuleList()  # coarsest first
        channels = list(channels)[: len(embedded)]
        previous = 0
        for index in range(len(channels) - 1, -1, -1):
            given = (num_flows + 1) * embedded[index] + previous
            self.levels.append(FusionLevel(given, channels[index]))
            previous = channels[index]
        self.finest = FusionLevel(channels[0] + 2 * in_channels + STATISTICS, channels[0])
        self.out = small_init(nn.Conv2d(channels[0], TERMS, 3, padding=1), std=1e-3)
        with torch.no_grad():
            start = torch.tensor([1.0 - maximum_share, 0.0, maximum_share, 0.0])
            self.out.bias.copy_(start)  # type: ignore[union-attr]

    def forward(
        self,
        fixed: list[torch.Tensor],
        moving: list[torch.Tensor],
        flows: list[list[torch.Tensor]],
        cells: list[torch.Tensor],
    ) -> torch.Tensor:
        """Reconstruct.

        Args:
            fixed: F_A per scale, finest first.
            moving: F_B per scale, finest first.
            flows: per scale the fields of that scale, (B, 2, H_i, W_i) in tokens.
            cells: extracted features of the fixed and of the warped moving picture, and their
                local statistics, (B, C | C | 7, h, w).

        Returns:
            the coefficients (B, 4, h, w) of the fused picture, float32.
        """
        state: torch.Tensor | None = None
        for step, level in enumerate(self.levels):
            index = len(fixed) - 1 - step
            aligned = self.align(moving[index], flows[index])
            parts = [aligned, fixed[index].float()]
            if state is not None:
                parts.append(resize_as(state.float(), aligned))
            state = level(parts)
        assert state is not None
        parts = [part.float() for part in cells]
        state = self.finest([resize_as(state.float(), cells[0])] + parts)  # noqa: RUF005
        return self.out(state).float()
