"""Draw the misalignment of one item with MONAI's random transforms, on the CPU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from monai.transforms import Rand2DElastic, RandAffine
from monai.utils import convert_to_tensor

from bundle.domain import REFERENCE_SIZE, Level
from bundle.transforms.maps import Maps

# Rand2DElastic interpolates N(0, magnitude) offsets at control points by cubic convolution:
# these two factors give a field of the wanted standard deviation and smoothness (measured).
SPACING_PER_SIGMA = 2.4
MAGNITUDE_PER_STD = 1.16


def draw(level: Level, size: Sequence[int], random: np.random.RandomState) -> Maps:
    """Draw the maps of one item, without a common pose.

    Args:
        level: what the misalignment is drawn from.
        size: (H, W).
        random: source of randomness.

    Returns:
        those of a batch of one.
    """
    ratio = max(size) / REFERENCE_SIZE
    elastic = elastic_displacement(size, level.sigma * ratio, level.std * ratio, random)
    matrix = affine_matrix(size, level.rotation, level.scale, level.translation * ratio, random)
    return Maps(elastic[None], matrix[None])


def affine_matrix(
    size: Sequence[int],
    rotation: float,
    scale: float,
    translation: float,
    random: np.random.RandomState,
) -> torch.Tensor:
    """Random affine map about the picture's centre from MONAI's ``RandAffine``.

    Args:
        size: (H, W).
        rotation: half range in degrees.
        scale: half range of the scaling.
        translation: half range in voxels.
        random: source of randomness.

    Returns:
        (3, 3) homogeneous matrix on centred voxel coordinates ij, output to source point.
    """
    affine = RandAffine(
        prob=1.0,
        rotate_range=math.radians(rotation),
        scale_range=(scale, scale),
        translate_range=(translation, translation),
    )
    affine.set_random_state(int(random.randint(2**31)))
    affine.randomize()
    affine.rand_affine_grid(spatial_size=list(size), randomize=False)
    matrix = affine.rand_affine_grid.get_transformation_matrix()
    return convert_to_tensor(matrix, dtype=torch.float32)[:3, :3]


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


class _GridTap:
    """Stands in for the resampler of a MONAI transform and keeps the grid it is handed."""

    grid: torch.Tensor

    def __call__(self, img: torch.Tensor, grid: torch.Tensor, **_: Any) -> torch.Tensor:
        self.grid = convert_to_tensor(grid)[:2].float()
        return img


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
