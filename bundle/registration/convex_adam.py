"""ConvexAdam (Siebert et al., IEEE TMI 2024): a coupled convex search, then Adam.

The search is that of its authors' package. Features and Adam are our own: they take less time, and
Adam counts the head alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch.nn import functional

from bundle.registration.instance_optimisation import instance_optimisation, smoothed
from bundle.registration.self_similarity import self_similarities

DISTANCE = 2
"""Voxels from a voxel to the patches that are compared around it, as in the package."""

CELL = 6
"""Voxels along each side of a cell of the search, as in the package."""

FARTHEST = 4
"""Cells: the largest displacement along an axis that is searched, as in the package."""

FINE = 2
"""Voxels along each side of a cell in which Adam goes on, as in the package."""

RATE, SMOOTHNESS = 1.0, 1.25
"""Of Adam, and the weight of the squared gradient, as in the package."""

STEPS = 40
"""Of Adam, of the package's 80: with 60 the combined fields of SPECT, and those of the others
after the finer step, are the same within 0.02 mm (painted training heads)."""


@torch.inference_mode(False)
def convex_adam(fixed: np.ndarray, moving: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Register by self-similarities, without training.

    Args:
        fixed: (H, W, D) in [0, 1], whole cells of ``CELL`` voxels.
        moving: the same shape.
        where: bool, the same shape: where the fixed volume counts for Adam.

    Returns:
        displacements (3, H, W, D) in voxels, in the order of the axes, pull-back.
    """
    features = [self_similarities(torch.from_numpy(one), DISTANCE, FINE) for one in (fixed, moving)]
    found = _searched(*(functional.avg_pool3d(one[None], CELL // FINE) for one in features))
    start = smoothed(_resized(found, features[0].shape[1:])[0] / FINE)
    near = functional.max_pool3d(torch.from_numpy(where).float()[None], FINE)[0] > 0
    cells = instance_optimisation(features[0], features[1], near, start, STEPS, RATE, SMOOTHNESS)
    return FINE * _resized(cells[None], fixed.shape)[0].numpy()


@contextmanager
def package() -> Iterator[None]:
    """Import the package, its warnings silenced, with gradients: evaluation runs its Adam too."""
    with warnings.catch_warnings(), torch.inference_mode(False), torch.enable_grad():
        import convexAdam.convex_adam_MIND  # noqa: F401

        warnings.simplefilter("ignore")  # torch's notes on its own defaults
        yield


def _searched(fixed: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
    """Displacements (1, 3, h, w, d) in voxels, from features of cells, in both directions alike."""
    cells = fixed.shape[2:]
    shape = [CELL * count for count in cells]
    steps = torch.arange(-FARTHEST, FARTHEST + 1).float()
    # the package counts these backwards: slices first
    searched = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij")[::-1]).view(3, -1, 1)
    half = torch.tensor([count - 1 for count in cells]).view(1, 3, 1, 1, 1) / 2
    with package():
        from convexAdam.convex_adam_utils import correlate, coupled_convex, inverse_consistency

        there, back = (
            coupled_convex(
                *correlate(*pair, FARTHEST, CELL, shape, fixed.shape[1]), searched, CELL, shape
            )
            for pair in ((fixed, moving), (moving, fixed))
        )
        both = ((one / half).flip(1) for one in (there, back))
        found: torch.Tensor = inverse_consistency(*both, iter=15)[0].flip(1) * half * CELL
    return found


def _resized(volume: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    return functional.interpolate(volume, list(size), mode="trilinear")
