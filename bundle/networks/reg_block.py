"""RegBlk: bidirectional cross-attention between two images at one scale (paper, 2.3)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from bundle.networks.cross_attention import (
    TokenProjection,
    global_attention,
    token_grid,
    window_attention,
    with_prior,
)
from bundle.networks.layers import ResidualBlock, small_init
from bundle.networks.spline import spline_upsample
from bundle.networks.warp import warp_tokens


class RegBlk(nn.Module):
    """Match F_A and F_B of one scale: what matched (Eq. 1) and where.

    Attention over all tokens of a fine scale does not fit in memory. So every token first sees
    all tokens of this scale pooled by ``pool``; the expected position of its match gives a
    start. Around that start (F_B pulled back by it, inside this block only) it then sees a
    window at full detail. The positions of the keys travel as two more value channels, so the
    expected displacement is exact in both steps.

    Args:
        channels: C_i of this scale.
        dim: width of queries and keys.
        pool: pooling of the tokens for the global step; 1 = none.
        window: side of the query window of the local step in tokens; 0 = no local step.
        reach: tokens around the window that it sees.
        prior: width in pooled tokens that the prior on the displacement starts from.
    """

    def __init__(
        self,
        channels: int,
        dim: int = 32,
        pool: int = 1,
        window: int = 0,
        reach: int = 2,
        prior: float = 1.5,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.window = window
        self.reach = reach
        self.project = TokenProjection(channels, dim)
        steps = 2 if window > 0 else 1
        self.log_scale = nn.Parameter(torch.full((steps,), 3.0))
        self.log_width = nn.Parameter(torch.tensor([prior, 2.0][:steps]).log())
        self.start = nn.Sequential(
            nn.Conv2d(3 * (dim + 1) + 4, dim, 3, padding=1),
            nn.LeakyReLU(0.1),
            small_init(nn.Conv2d(dim, 2, 3, padding=1), std=1e-3),
        )
        self.fuse = nn.Sequential(
            nn.Conv2d(2 * channels + 3 * (dim + 1) + 6, channels, 1), ResidualBlock(channels)
        )

    def forward(
        self, fixed: torch.Tensor, moving: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Match.

        Args:
            fixed: F_A, (B, C_i, H_i, W_i).
            moving: F_B, (B, C_i, H_i, W_i).

        Returns:
            the fused matching features (B, C_i, H_i, W_i), and the expected displacement
            (B, 2, H_i, W_i), float32, in tokens of this scale, ij, fixed to moving (pull-back);
            fixed queries and moving keys of the global step (B, 2, d + 3, h, w), whose products
            are its logits: training tells them where the true match lies.
        """
        qkv_fixed, qkv_moving = self.project(fixed), self.project(moving)
        start, seen, backward, tokens = self._global(qkv_fixed, qkv_moving)
        if self.window > 0:
            pulled = self.project(warp_tokens(moving, start).to(moving))
            displacement, seen, backward = self._local(qkv_fixed, pulled, start)
        else:
            displacement = start
        # Tokens are far apart in pixels: a tenth keeps displacements on the scale of features.
        where = 0.1 * torch.cat([displacement, displacement - start, backward], dim=1)
        return self.fuse(torch.cat([fixed, moving, seen, where], dim=1)), displacement, tokens

    def _global(
        self, fixed: tuple[torch.Tensor, ...], moving: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Match pooled tokens with all pooled tokens; upsample the start to this scale."""
        height, width = fixed[0].shape[-2], fixed[0].shape[-1]
        query_f, key_f, value_f = self._pooled(fixed)
        query_m, key_m, value_m = self._pooled(moving)
        grid = token_grid(query_f).expand(query_f.shape[0], -1, -1, -1)
        query, key = with_prior(query_f, key_m, self.log_scale[0], self.log_width[0])
        tokens = torch.stack([query, key], dim=1)
        to_moving = global_attention(query, key, torch.cat([value_m, grid], 1))
        query, key = with_prior(query_m, key_f, self.log_scale[0], self.log_width[0])
        to_fixed = global_attention(query, key, torch.cat([value_f, grid], 1))
        seen_m, found_m = to_moving[:, :-2], to_moving[:, -2:] - grid
        seen_f, found_f = to_fixed[:, :-2], to_fixed[:, -2:] - grid
        seen = torch.cat([seen_m, seen_f, seen_m - seen_f], dim=1)
        residual = self.start(torch.cat([seen, 0.1 * found_m, -0.1 * found_f], dim=1))
        found_m = found_m + residual.float()
        if self.pool > 1:
            start = spline_upsample(found_m, height, width) * self.pool
            backward = spline_upsample(-found_f, height, width) * self.pool
            return start, seen, backward, tokens
        return found_m, seen, -found_f, tokens

    def _pooled(self, tokens: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
        if self.pool == 1:
            return list(tokens)
        return [functional.avg_pool2d(part, self.pool) for part in tokens]

    def _local(
        self,
        fixed: tuple[torch.Tensor, ...],
        pulled: tuple[torch.Tensor, ...],
        start: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Match tokens with a window of the moving ones pulled back by ``start``, both ways."""
        query_f, key_f, value_f = fixed
        query_m, key_m, value_m = pulled
        grid = token_grid(query_f)
        found_at = grid + start
        query, key = with_prior(query_f, key_m, self.log_scale[1], self.log_width[1])
        there = torch.cat([value_m, found_at], dim=1)
        to_moving = window_attention(query, key, there, self.window, self.reach)
        query, key = with_prior(query_m, key_f, self.log_scale[1], self.log_width[1])
        here = torch.cat([value_f, grid.expand(query.shape[0], -1, -1, -1)], dim=1)
        to_fixed = window_attention(query, key, here, self.window, self.reach)
        seen_m, displacement = to_moving[:, :-2], to_moving[:, -2:] - grid
        seen_f, backward = to_fixed[:, :-2], grid - to_fixed[:, -2:]
        return displacement, torch.cat([seen_m, seen_f, seen_m - seen_f], dim=1), backward
