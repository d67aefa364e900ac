"""Cross-attention that says what matched and where (Eq. 1 with positions as extra values)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from bundle.geometry.warp import token_grid
from bundle.networks.precision import picture_mean


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
    return functional.normalize(tokens - picture_mean(tokens), dim=1)


def with_prior(
    tokens: torch.Tensor, log_width: torch.Tensor, stride: int, is_query: bool
) -> torch.Tensor:
    """Append channels that make Q K^T = cosine term - |displacement|^2 / (2 width^2) + const.

    The second term is a Gaussian prior on the displacement between tokens: what matches nowhere
    stays where it is. It costs three more channels; the constant is one per query.

    Args:
        tokens: (B, d, H, W), queries (times the inverse temperature) or keys.
        log_width: scalar, log of the prior's width in tokens of the grid before pooling.
        stride: by how much these tokens are pooled.
        is_query: whether they are queries or keys.

    Returns:
        (B, d + 3, H, W).
    """
    grid = token_grid(tokens, stride)
    grid = (grid - picture_mean(grid)) * torch.exp(-log_width)
    grid = grid.expand(tokens.shape[0], -1, -1, -1)
    length = -0.5 * grid.square().sum(dim=1, keepdim=True)
    last = torch.ones_like(length) if is_query else length
    return torch.cat([tokens, grid, last], dim=1)


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Softmax(Q K^T) V over token sequences, in float32 (Eq. 1; Q carries the scale).

    Args:
        query: (N, L, d).
        key: (N, S, d).
        value: (N, S, e).

    Returns:
        (N, L, e).
    """
    query, key, value = query.float()[:, None], key.float()[:, None], value.float()[:, None]
    if torch.jit.is_scripting():  # takes no device of an autocast that is not a constant
        return functional.scaled_dot_product_attention(query, key, value, scale=1.0).squeeze(1)
    with torch.autocast(query.device.type, enabled=False):  # positions need float32
        return functional.scaled_dot_product_attention(query, key, value, scale=1.0).squeeze(1)


def global_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Every query token sees every key token.

    Args:
        query: (B, d, H, W).
        key: (B, d, h, w).
        value: (B, e, h, w).

    Returns:
        (B, e, H, W).
    """
    batch, _, height, width = query.shape
    tokens = attend(token_sequence(query), token_sequence(key), token_sequence(value))
    return tokens.reshape(batch, height, width, -1).permute(0, 3, 1, 2)


def token_sequence(tokens: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) to (B, H * W, C), channels last in memory, as fast attention kernels want."""
    return tokens.permute(0, 2, 3, 1).flatten(1, 2).contiguous()
