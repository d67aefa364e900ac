"""RegBlk: bidirectional cross-attention between two images at one scale (paper, 2.3)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from bundle.geometry.warp import token_grid
from bundle.networks.cross_attention import TokenProjection, global_attention, with_prior
from bundle.networks.layers import ResidualBlock
from bundle.networks.local_correlation import local_correlation, window_offsets
from bundle.networks.precision import float32_product


class RegBlk(nn.Module):
    """Match F_A and F_B of one scale: what matched (Eq. 1) and where.

    Every token of one image sees all tokens of the other, in both directions. At a fine scale
    all pairs of tokens do not fit in memory, so there the keys and values are pooled. The
    positions of the keys travel as two more value channels, so the attention also says roughly
    where the match lies. Precisely it is said by a second attention, from each fixed token to
    the moving tokens in a window around its own place: its mean offset is the displacement
    handed on.

    Args:
        channels: C_i of this scale.
        dim: width of queries and keys.
        pool: pooling of keys and values; 1 = none.
        radius: reach of the window in tokens.
        prior: width in tokens that the prior on the displacement starts from.
    """

    def __init__(
        self, channels: int, dim: int = 32, pool: int = 1, radius: int = 2, prior: float = 1.5
    ) -> None:
        super().__init__()
        self.pool = pool
        self.radius = radius
        self.project = TokenProjection(channels, dim)
        self.log_scale = nn.Parameter(torch.tensor(3.0))
        self.log_width = nn.Parameter(torch.tensor(prior).log())
        self.window_log_scale = nn.Parameter(torch.tensor(2.5))
        self.register_buffer("offsets", window_offsets(radius), persistent=False)
        seen = 3 * (dim + 1) + 6 + (2 * radius + 1) ** 2
        self.fuse = nn.Sequential(
            nn.Conv2d(2 * channels + seen, channels, 1), ResidualBlock(channels)
        )

    def forward(
        self, fixed: torch.Tensor, moving: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Match.

        Args:
            fixed: F_A, (B, C_i, H_i, W_i).
            moving: F_B, (B, C_i, H_i, W_i).

        Returns:
            the fused matching features (B, C_i, H_i, W_i); the displacement that the window
            says (B, 2, H_i, W_i), float32, in tokens of this scale, ij, fixed to moving
            (pull-back); the window's logits (B, (2 radius + 1)^2, H_i, W_i), offsets in order,
            rows first: training tells them where the true match lies.
        """
        query_f, key_f, value_f = self.project(fixed)
        query_m, key_m, value_m = self.project(moving)
        cosines = local_correlation(query_f, key_m, self.radius)
        logits = cosines * self.window_log_scale.exp() + self._window_prior()
        shares = logits.softmax(dim=1)
        offsets = self.offsets.transpose(0, 1)  # type: ignore[operator]
        mean = float32_product(offsets, shares.flatten(2))
        near = mean.reshape(shares.shape[0], 2, shares.shape[2], shares.shape[3])
        seen_m, found = self._attend(query_f, self._prepared_keys(key_m), value_m)
        seen_f, found_back = self._attend(query_m, self._prepared_keys(key_f), value_f)
        # Brought to the spread of the features beside them: small inputs are learnt slowly.
        where = 0.5 * torch.cat([found, -found_back, near], dim=1)
        parts = [fixed, moving, seen_m, seen_f, seen_m - seen_f, 5.0 * cosines, where]
        return self.fuse(torch.cat(parts, dim=1)), near, logits

    def _window_prior(self) -> torch.Tensor:
        """Gaussian prior on the offset, (1, (2 radius + 1)^2, 1, 1)."""
        squares = self.offsets.square().sum(dim=1)  # type: ignore[operator]
        length = squares * torch.exp(-2 * self.log_width)
        return -0.5 * length[None, :, None, None]

    def _attend(
        self, query: torch.Tensor, keys: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Eq. 1 in one direction: what was seen, and where, as a displacement."""
        value = self._pooled(value)
        places = token_grid(value, self.pool).expand(value.shape[0], -1, -1, -1)
        seen = global_attention(
            self._prepared_queries(query), keys, torch.cat([value, places], dim=1)
        )
        return seen[:, :-2], seen[:, -2:] - token_grid(query)

    def _prepared_queries(self, query: torch.Tensor) -> torch.Tensor:
        scaled = query * self.log_scale.clamp(max=4.6).exp()
        return with_prior(scaled, self.log_width, 1, True)

    def _prepared_keys(self, key: torch.Tensor) -> torch.Tensor:
        return with_prior(self._pooled(key), self.log_width, self.pool, False)

    def _pooled(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens if self.pool == 1 else functional.avg_pool2d(tokens, self.pool)
