"""Correlation of every voxel's features with those around its own place in the other volume."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, cast

import torch
from torch.nn import functional

REACH = 3
"""Voxels along each axis of the neighbourhood: the own place and one to either side."""


def correlation(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Inner product of each voxel's features with those of the 27 voxels around it.

    Args:
        query: (B, C, h, w, d).
        key: the same shape; 0 outside.

    Returns:
        (B, 27, h, w, d); channels in order of the offset, first axis first.
    """
    return cast(torch.Tensor, _Correlation.apply(query, key))


class _Correlation(torch.autograd.Function):
    """With a gradient that adds in place: autograd would make a map of zeros for every offset."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(query, key)
        padded = functional.pad(key, [1] * 6)
        return torch.stack([(query * padded[p]).sum(dim=1) for p in _places(query)], dim=1)

    @staticmethod
    def backward(  # type: ignore[override]
        ctx: Any, grad: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        query, key = ctx.saved_tensors
        padded = functional.pad(key, [1] * 6)
        to_query, to_padded = torch.zeros_like(query), torch.zeros_like(padded)
        for one, place in zip(grad.split(1, dim=1), _places(query), strict=True):
            to_query.addcmul_(one, padded[place])
            to_padded[place].addcmul_(one, query)
        return to_query, to_padded[..., 1:-1, 1:-1, 1:-1]


def _places(query: torch.Tensor) -> Iterator[tuple[Any, ...]]:
    """Where the neighbours lie in the padded key, in order of the offset."""
    for offset in product(range(REACH), repeat=3):
        yield (..., *(slice(o, o + n) for o, n in zip(offset, query.shape[2:], strict=True)))
