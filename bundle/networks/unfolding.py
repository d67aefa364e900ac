"""Smoothing of a displacement field where it folds."""

from __future__ import annotations

import torch
from torch.nn import functional

from bundle.geometry.jacobian import cell_determinant


def without_folds(ddf: torch.Tensor, passes: int = 10, least: float = 0.1) -> torch.Tensor:
    """Smooth a field where neighbouring points would change places, and nowhere else.

    Each pass blends a 3 x 3 binomial mean in around the tokens whose Jacobian determinant is
    below ``least``. A field without such places comes back as it is.

    Args:
        ddf: (B, 2, h, w), in tokens, ij, pull-back.
        passes: how often; folds of real predictions are gone after a few.
        least: area that a unit square may shrink to.

    Returns:
        like ``ddf``.
    """
    for _ in range(passes):
        folds = (cell_determinant(ddf) < least).to(ddf.dtype)[:, None]
        share = _binomial(_binomial(functional.max_pool2d(folds, 5, stride=1, padding=2)))
        ddf = ddf + share * (_binomial(ddf) - ddf)
    return ddf


def _binomial(values: torch.Tensor) -> torch.Tensor:
    """Binomial mean over 3 x 3, the border repeated."""
    rows = functional.pad(values, [0, 0, 1, 1], mode="replicate")
    rows = 0.25 * (rows[:, :, :-2] + rows[:, :, 2:]) + 0.5 * rows[:, :, 1:-1]
    both = functional.pad(rows, [1, 1, 0, 0], mode="replicate")
    return 0.25 * (both[..., :-2] + both[..., 2:]) + 0.5 * both[..., 1:-1]
