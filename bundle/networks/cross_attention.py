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
        dim: width of queries and keys. Values are two narrower: with the two coordinates of the
            key beside them all three are equally wide, as the fast attention kernels want.
    """

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, dim, 1)
        self.key = nn.Conv2d(channels, dim, 1)
        self.value = nn.Conv2d(channels, dim - 2, 1)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Map (B, C_i, H, W) to unit q and k (B, dim, H, W) and v (B, dim - 2, H, W), float32."""
        query = functional.normalize(self.query(features).float(), dim=1)
        key = functional.normalize(self.key(features).float(), dim=1)
        return query, key, self.value(features).float()


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """Softmax(scale * Q K^T) V over token sequences, in float32.

    Args:
        query: (N, L, d), unit length.
        key: (N, S, d), unit length.
        value: (N, S, e).
        scale: scalar, the inverse temperature.

    Returns:
        (N, L, e).
    """
    with torch.autocast(query.device.type, enabled=False):  # positions need float32
        return functional.scaled_dot_product_attention(
            (query * scale)[:, None], key[:, None], value[:, None], scale=1.0
        ).squeeze(1)


def global_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """Every query token sees every key token.

    Args:
        query: (B, d, H, W).
        key: (B, d, H, W).
        value: (B, e, H, W).
        scale: scalar, the inverse temperature.

    Returns:
        (B, e, H, W).
    """
    batch, _, height, width = query.shape
    tokens = attend(
        query.flatten(2).transpose(1, 2),
        key.flatten(2).transpose(1, 2),
        value.flatten(2).transpose(1, 2),
        scale,
    )
    return tokens.transpose(1, 2).reshape(batch, -1, height, width)


def window_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scale: torch.Tensor,
    window: int,
    reach: int,
) -> torch.Tensor:
    """Query tokens of a window see the key tokens of that window and ``reach`` around it.

    Args:
        query: (B, d, H, W), H and W divisible by ``window``.
        key: (B, d, H, W).
        value: (B, e, H, W); the borders are continued outwards.
        scale: scalar, the inverse temperature.
        window: side of the query window in tokens.
        reach: tokens added on every side for the keys.

    Returns:
        (B, e, H, W).
    """
    batch, dim, height, width = query.shape
    rows, columns = height // window, width // window
    queries = query.reshape(batch, dim, rows, window, columns, window)
    queries = queries.permute(0, 2, 4, 3, 5, 1).reshape(-1, window * window, dim)
    side = window + 2 * reach
    both = functional.pad(torch.cat([key, value], dim=1), [reach] * 4, mode="replicate")
    both = both.unfold(2, side, window).unfold(3, side, window)
    both = both.permute(0, 2, 3, 4, 5, 1).reshape(batch * rows * columns, side * side, -1)
    tokens = attend(queries, both[..., :dim], both[..., dim:], scale)
    tokens = tokens.reshape(batch, rows, columns, window, window, -1)
    return tokens.permute(0, 5, 1, 3, 2, 4).reshape(batch, -1, height, width)
