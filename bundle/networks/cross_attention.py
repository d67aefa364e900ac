"""Cross-attention that says what matched and where (Eq. 1 with positions as extra values)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def token_grid(reference: torch.Tensor) -> torch.Tensor:
    """Token coordinates (1, 2, H, W), float32, channel 0 = row i, channel 1 = column j."""
    height, width = reference.shape[-2], reference.shape[-1]
    rows = torch.arange(height, device=reference.device, dtype=torch.float32)
    columns = torch.arange(width, device=reference.device, dtype=torch.float32)
    grid = torch.stack(
        [rows[:, None].expand(height, width), columns[None, :].expand(height, width)]
    )
    return grid[None]


class TokenProjection(nn.Module):
    """Queries, keys and values of one image's features: linear maps, then a layer norm on Q, K.

    Args:
        channels: C_i of the scale.
        dim: width of queries and keys. Values are one wider: with the prior beside the former
            and positions beside the latter all three are equal, as fast attention kernels want.
    """

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, dim, 1)
        self.key = nn.Conv2d(channels, dim, 1)
        self.value = nn.Conv2d(channels, dim + 1, 1)
        # Alike at the start, so that equal features match from the first step.
        self.key.load_state_dict(self.query.state_dict())

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Map (B, C_i, H, W) to unit q and k (B, dim, H, W) and v (B, dim + 1, H, W), float32."""
        query = unit_tokens(self.query(features))
        key = unit_tokens(self.key(features))
        return query, key, self.value(features).float()


def unit_tokens(tokens: torch.Tensor) -> torch.Tensor:
    """Take out each channel's mean over (B, C, H, W), which matches everywhere; unit length."""
    tokens = tokens.float()
    return functional.normalize(tokens - tokens.mean(dim=(2, 3), keepdim=True), dim=1)


def with_prior(
    query: torch.Tensor, key: torch.Tensor, log_scale: torch.Tensor, log_width: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make Q K^T = scale * cosine - |displacement|^2 / (2 width^2), up to a constant per query.

    The second term is a Gaussian prior on the displacement between tokens: what matches nowhere
    stays where it is. It costs three more channels.

    Args:
        query: (B, d, H, W), unit length.
        key: (B, d, H, W), unit length.
        log_scale: scalar, log of the inverse temperature.
        log_width: scalar, log of the prior's width in tokens.

    Returns:
        query and key, (B, d + 3, H, W).
    """
    grid = token_grid(query)
    grid = (grid - grid.mean(dim=(2, 3), keepdim=True)) * torch.exp(-log_width)
    grid = grid.expand(query.shape[0], -1, -1, -1)
    scaled = query * log_scale.clamp(max=4.6).exp()
    length = -0.5 * grid.square().sum(dim=1, keepdim=True)
    query = torch.cat([scaled, grid, torch.ones_like(length)], dim=1)
    return query, torch.cat([key, grid, length], dim=1)


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Softmax(Q K^T) V over token sequences, in float32 (Eq. 1; Q carries the scale).

    Args:
        query: (N, L, d).
        key: (N, S, d).
        value: (N, S, e).

    Returns:
        (N, L, e).
    """
    with torch.autocast(query.device.type, enabled=False):  # positions need float32
        return functional.scaled_dot_product_attention(
            query[:, None], key[:, None], value[:, None], scale=1.0
        ).squeeze(1)


def global_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Every query token sees every key token.

    Args:
        query: (B, d, H, W).
        key: (B, d, H, W).
        value: (B, e, H, W).

    Returns:
        (B, e, H, W).
    """
    batch, _, height, width = query.shape
    tokens = attend(
        query.flatten(2).transpose(1, 2),
        key.flatten(2).transpose(1, 2),
        value.flatten(2).transpose(1, 2),
    )
    return tokens.transpose(1, 2).reshape(batch, -1, height, width)


def window_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    window: int,
    reach: int,
) -> torch.Tensor:
    """Query tokens of a window see the key tokens of that window and ``reach`` around it.

    Args:
        query: (B, d, H, W), H and W divisible by ``window``.
        key: (B, d, H, W).
        value: (B, e, H, W); the borders are continued outwards.
        window: side of the query window in tokens.
        reach: tokens added on every side for the keys.

    Returns:
        (B, e, H, W).
    """
    batch, _, height, width = query.shape
    rows, columns = height // window, width // window
    queries = query.reshape(batch, -1, rows, window, columns, window)
    queries = queries.permute(0, 2, 4, 3, 5, 1).reshape(batch * rows * columns, window**2, -1)
    keys = _surroundings(key, window, reach)
    values = _surroundings(value, window, reach)
    tokens = attend(queries, keys, values)
    tokens = tokens.reshape(batch, rows, columns, window, window, -1)
    return tokens.permute(0, 5, 1, 3, 2, 4).reshape(batch, -1, height, width)


def _surroundings(tokens: torch.Tensor, window: int, reach: int) -> torch.Tensor:
    """Every window with ``reach`` tokens around it: (B, C, H, W) to (windows, tokens, C)."""
    channels, side = tokens.shape[1], window + 2 * reach
    padded = functional.pad(tokens, [reach] * 4, mode="replicate")
    columns = functional.unfold(padded, side, stride=window)
    columns = columns.reshape(tokens.shape[0], channels, side * side, -1).permute(0, 3, 2, 1)
    return columns.reshape(-1, side * side, channels)
