"""Down Fusion, Up Fusion and the field head of the two pathways (paper, 2.3)."""

from __future__ import annotations

import torch
from torch import nn

from bundle.networks.layers import ResidualBlock, resize_as, small_init


class DownFusion(nn.Module):
    """Integrate the finer scale's state into this scale (local-to-global pathway).

    Args:
        finer: channels of the finer state, 0 at the first scale of the pathway.
        channels: channels of this scale.
        stride: of this scale to the finer one.
    """

    def __init__(self, finer: int, channels: int, stride: int = 2) -> None:
        super().__init__()
        self.down = nn.Conv2d(finer, channels, 3, stride, 1) if finer else nn.Identity()
        self.merge = nn.Sequential(
            nn.Conv2d(2 * channels if finer else channels, channels, 3, padding=1),
            nn.LeakyReLU(0.1),
        )

    def forward(self, state: torch.Tensor | None, matches: torch.Tensor) -> torch.Tensor:
        """Merge (B, C_{i-1}, 2H, 2W) or None and (B, C_i, H, W) to (B, C_i, H, W)."""
        if state is not None:
            matches = torch.cat([matches, self.down(state)], dim=1)
        return self.merge(matches)


class UpFusion(nn.Module):
    """Integrate the coarser scale's state into this scale (global-to-local pathway).

    Args:
        coarser: channels of the coarser state, 0 at the first scale of the pathway.
        channels: channels of this scale.
    """

    def __init__(self, coarser: int, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(coarser, channels, 1) if coarser else nn.Identity()
        self.merge = nn.Sequential(
            nn.Conv2d(2 * channels if coarser else channels, channels, 3, padding=1),
            nn.LeakyReLU(0.1),
        )

    def forward(self, state: torch.Tensor | None, matches: torch.Tensor) -> torch.Tensor:
        """Merge (B, C_{i+1}, H/2, W/2) or None and (B, C_i, H, W) to (B, C_i, H, W)."""
        if state is not None:
            matches = torch.cat([matches, resize_as(self.reduce(state), matches)], dim=1)
        return self.merge(matches)


class FieldHead(nn.Module):
    """Residual block and prediction of a complete field: gated match plus residual.

    Args:
        channels: channels of the pathway's state.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ResidualBlock(channels),
            nn.LeakyReLU(0.1),
            small_init(nn.Conv2d(channels, 4, 3, padding=1), std=1e-5),
        )

    def forward(
        self, state: torch.Tensor, displacement: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Predict.

        Args:
            state: (B, C, H, W).
            displacement: (B, 2, H, W), what the window of this scale says, in tokens, ij.

        Returns:
            flow (B, 2, H, W) in tokens, ij, pull-back, and its confidence logit (B, 1, H, W),
            both float32.
        """
        out = self.body(state).float()
        gate = torch.sigmoid(out[:, 2:3])
        return gate * displacement + out[:, :2], out[:, 3:]
