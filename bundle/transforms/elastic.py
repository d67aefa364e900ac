"""Smooth random displacements: MONAI's elastic one, and a very smooth one of few knots."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from monai.transforms import Rand2DElastic
from monai.utils import convert_to_tensor
from torch.nn import functional

POSE_KNOTS = 5  # control points per side of the common elastic deformation
# Rand2DElastic interpolates N(0, magnitude) offsets at control points by cubic convolution:
# these two factors give a field of the wanted standard deviation and smoothness (measured).
SPACING_PER_SIGMA = 2.4
MAGNITUDE_PER_STD = 1.16


class _GridTap:
    """Stands in for the resampler of a MONAI transform and keeps the grid it is handed."""

    grid: torch.Tensor

    def __call__(self, img: torch.Tensor, grid: torch.Tensor, **_: Any) -> torch.Tensor:
        self.grid = convert_to_tensor(grid)[:2].float()
        return img


def elastic_displacement(
    size: Sequence[int], sigma: float, std: float, random: np.random.RandomState
) -> torch.Tensor:
    """Smooth random displacement from MONAI's ``Rand2DElastic``.

    MONAI's upsampling leaves a ripple even at magnitude 0, so field(std) - field(0) is taken.

    Args:
        size: (H, W).
        sigma: smoothness in voxels.
        std: standard deviation of each component in voxels; 0 gives exactly 0.
        random: source of randomness.

    Returns:
        (2, H, W), voxels, ij, pull-back: distorted point to source point.
    """
    spacing = max(1, round(SPACING_PER_SIGMA * sigma))
    seed = int(random.randint(2**31))
    if std == 0:
        return torch.zeros(2, *size)
    grid = _elastic_grid(tuple(size), spacing, MAGNITUDE_PER_STD * std, seed)
    return grid - _ripple(tuple(size), spacing)


def smooth_displacement(
    size: Sequence[int], std: float, random: np.random.RandomState
) -> torch.Tensor:
    """Very smooth random displacement by cubic interpolation of a few control points.

    Args:
        size: (H, W).
        std: standard deviation of each component at the control points, in voxels.
        random: source of randomness.

    Returns:
        (2, H, W), voxels, ij.
    """
    knots = torch.from_numpy(random.normal(0.0, std, (1, 2, POSE_KNOTS, POSE_KNOTS))).float()
    return functional.interpolate(knots, tuple(size), mode="bicubic", align_corners=True)[0]


def _elastic_grid(size: tuple[int, ...], spacing: int, magnitude: float, seed: int) -> torch.Tensor:
    elastic = Rand2DElastic((spacing, spacing), (magnitude, magnitude), prob=1.0)
    tap: Any = _GridTap()
    elastic.resampler = tap
    elastic.set_random_state(seed)
    elastic(torch.zeros(1, *size))
    return tap.grid


@lru_cache(maxsize=16)
def _ripple(size: tuple[int, ...], spacing: int) -> torch.Tensor:
    return _elastic_grid(size, spacing, 0.0, 0)
