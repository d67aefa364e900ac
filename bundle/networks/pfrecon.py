"""PFRecon: progressive coarse-to-fine reconstruction guided by the fields (paper, 2.4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from bundle.networks.hdfa import HDFA
from bundle.networks.layers import resize_as, small_init
from bundle.networks.restormer import RestormerBlock


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

    The finest level works at full size on the features of the extraction and on the pictures
    themselves; its output is what the fused picture adds to a blend of both sources.

    Args:
        in_channels: C of the feature extraction.
        embedded: C_i of the embeddings, finest first.
        channels: channels of the reconstruction per scale, finest first.
        num_flows: fields per scale, 2 for both directions.
        base_share: share of the maximum of both sources, the rest is the fixed one, in the blend
            that the output is added to.
    """

    def __init__(
        self,
        in_channels: int = 16,
        embedded: Sequence[int] = (32, 64, 80, 80, 80),
        channels: Sequence[int] = (32, 32, 32, 48, 48),
        num_flows: int = 2,
        base_share: float = 0.8,
    ) -> None:
        super().__init__()
        self.align = HDFA()
        self.base_share = base_share
        self.levels = nn.ModuleList()  # coarsest first
        channels = list(channels)[: len(embedded)]
        previous = 0
        for index in range(len(channels) - 1, -1, -1):
            given = (num_flows + 1) * embedded[index] + previous
            self.levels.append(FusionLevel(given, channels[index]))
            previous = channels[index]
        self.finest = FusionLevel(channels[0] + 2 * in_channels + 2, in_channels)
        self.out = small_init(nn.Conv2d(in_channels, 1, 3, padding=1), std=1e-3)

    def forward(
        self,
        fixed: list[torch.Tensor],
        moving: list[torch.Tensor],
        flows: list[list[torch.Tensor]],
        full: list[torch.Tensor],
    ) -> torch.Tensor:
        """Reconstruct.

        Args:
            fixed: F_A per scale, finest first.
            moving: F_B per scale, finest first.
            flows: per scale the fields of that scale, (B, 2, H_i, W_i) in tokens.
            full: at full size: fixed features, warped moving features, fixed picture, warped
                picture, (B, C | C | 1 | 1, H, W).

        Returns:
            fused luminance (B, 1, H, W), float32, not clipped.
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
        parts = [part.float() for part in full]
        correction = self.out(self.finest([resize_as(state.float(), full[0])] + parts))  # noqa: RUF005
        maximum = torch.maximum(parts[2], parts[3])
        return torch.lerp(parts[2], maximum, self.base_share) + correction.float()
