"""Correlation of every token with the tokens around its own place in the other image."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional


def local_correlation(query: torch.Tensor, key: torch.Tensor, radius: int) -> torch.Tensor:
    """Cosine of every query token with the key tokens around its own place.

    Args:
        query: (B, d, H, W), unit length.
        key: (B, d, H, W), unit length; 0 outside.
        radius: reach in tokens along both axes.

    Returns:
        (B, (2 radius + 1)^2, H, W); channels in order of the offset, rows first.
    """
    if not torch.jit.is_scripting():  # noqa: SIM102 (scripting skips the body of this form)
        if query.requires_grad and not torch.jit.is_tracing():
            return _LocalCorrelation.apply(query, key, radius)
    return _correlate(query, key, radius)


def window_offsets(radius: int) -> torch.Tensor:
    """Offsets of :func:`local_correlation` in its order: ((2 radius + 1)^2, 2), tokens, ij."""
    steps = torch.arange(-radius, radius + 1, dtype=torch.float32)
    return torch.cartesian_prod(steps, steps)


def _correlate(query: torch.Tensor, key: torch.Tensor, radius: int) -> torch.Tensor:
    height, width = query.shape[-2], query.shape[-1]
    padded = functional.pad(key, [radius] * 4)
    side = 2 * radius + 1
    maps: list[torch.Tensor] = []
    for row in range(side):
        for column in range(side):
            shifted = padded[:, :, row : row + height, column : column + width]
            maps.append((query * shifted).sum(dim=1))
    return torch.stack(maps, dim=1)


class _LocalCorrelation(torch.autograd.Function):
    """The same with a gradient that adds in place.

    Autograd would make a padded map of zeros for every offset: half of the time of a training
    step went there.
    """

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, radius: int) -> torch.Tensor:
        ctx.save_for_backward(query, key)
        ctx.radius = radius
        return _correlate(query, key, radius)

    @staticmethod
    def backward(  # type: ignore[override]
        ctx: Any, grad: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, None]:
        query, key = ctx.saved_tensors
        radius, side = ctx.radius, 2 * ctx.radius + 1
        height, width = query.shape[-2], query.shape[-1]
        padded = functional.pad(key, [radius] * 4)
        to_query, to_padded = torch.zeros_like(query), torch.zeros_like(padded)
        for index, one in enumerate(grad.split(1, dim=1)):
            rows, columns = index // side, index % side
            place = (..., slice(rows, rows + height), slice(columns, columns + width))
            to_query.addcmul_(one, padded[place])
            to_padded[place].addcmul_(one, query)
        inside = (..., slice(radius, radius + height), slice(radius, radius + width))
        return to_query, to_padded[inside], None
