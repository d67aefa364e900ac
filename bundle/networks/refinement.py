"""Refinement of a field by what it leaves over: warp, compare nearby, correct, again."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from bundle.geometry.warp import warp_tokens
from bundle.networks.cross_attention import unit_tokens
from bundle.networks.layers import NormedConv, ResidualBlock, resize_as, small_init
from bundle.networks.local_correlation import local_correlation


class Refinement(nn.Module):
    """Correct a field in a few rounds that share their weights.

    Each round pulls the moving features back by the field so far, compares them with the fixed
    ones in a small window, on tokens and on the pixels below them, and predicts what is still
    missing (the update step of RAFT, Teed and Deng 2020, with a window around the warped place
    in place of a look-up in all pairs). In the nearly aligned frame convolutions see edges side
    by side, which tells fractions of a token that no mean over a coarse window does.

    Args:
        channels: C_1, of the finest tokens.
        features: C of the feature extraction, at twice the resolution of these tokens.
        hidden: channels of the state.
        dim: width of the compared features.
        radius: reach of both windows, in tokens and in pixels.
    """

    def __init__(
        self, channels: int, features: int, hidden: int = 48, dim: int = 16, radius: int = 2
    ) -> None:
        super().__init__()
        self.radius = radius
        self.token = nn.Conv2d(channels, dim, 1)
        self.context = nn.Conv2d(channels, dim, 1)
        self.detail = nn.Sequential(NormedConv(features + dim, 24), nn.Conv2d(24, dim, 1))
        self.start = nn.Conv2d(channels, hidden, 1)
        self.look = nn.Conv2d(2 * (2 * radius + 1) ** 2 + 2 * dim + 2, hidden, 1)
        self.update = nn.Sequential(*(ResidualBlock(hidden, step) for step in (1, 2, 4)))
        self.head = nn.Sequential(
            nn.LeakyReLU(0.1), small_init(nn.Conv2d(hidden, 2, 3, padding=1), std=1e-3)
        )

    def forward(
        self,
        fixed: list[torch.Tensor],
        moving: list[torch.Tensor],
        ddf: torch.Tensor,
        rounds: int,
    ) -> list[torch.Tensor]:
        """Refine.

        Args:
            fixed: finest tokens (B, C_1, h, w) and features (B, C, 2h, 2w) of the fixed image.
            moving: the same of the moving image.
            ddf: (B, 2, h, w), float32, in tokens, ij, pull-back: where to start.
            rounds: how often to correct.

        Returns:
            the field after each round, like ``ddf``; empty without rounds.
        """
        query, key = unit_tokens(self.token(fixed[0])), unit_tokens(self.token(moving[0]))
        fine_query, fine_key = self._detail(fixed), self._detail(moving)
        state = self.start(fixed[0])
        fields: list[torch.Tensor] = []
        for _ in range(rounds):
            ddf = ddf.detach()  # each round is trained by itself
            warped = warp_tokens(key, ddf)
            fine_ddf = 2.0 * functional.interpolate(
                ddf, scale_factor=2.0, mode="bilinear", align_corners=False
            )
            fine = local_correlation(fine_query, warp_tokens(fine_key, fine_ddf), self.radius)
            coarse = local_correlation(query, warped, self.radius)
            parts = [functional.avg_pool2d(fine, 2), coarse, query, query - warped]
            # Brought to the spread of features: small inputs are learnt slowly.
            seen = torch.cat([5.0 * torch.cat(parts, dim=1), ddf], dim=1)
            state = self.update(state + self.look(seen))
            ddf = ddf + self.head(state).float()
            fields.append(ddf)
        return fields

    def _detail(self, image: list[torch.Tensor]) -> torch.Tensor:
        """Comparable features of single pixels that know what the tokens above them are."""
        context = resize_as(self.context(image[0]), image[1])
        return unit_tokens(self.detail(torch.cat([image[1], context], dim=1)))
