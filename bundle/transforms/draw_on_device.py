"""Draw the maps of whole batches on their device: the same ones as MONAI's, in distribution.

Nothing waits for the device and nothing is copied from the CPU, as a CUDA graph needs it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

import torch
from monai.transforms.utils import create_control_grid
from torch.nn import functional

from bundle.domain import LEVELS, REFERENCE_SIZE, Level
from bundle.transforms.draw_monai import MAGNITUDE_PER_STD, SPACING_PER_SIGMA
from bundle.transforms.maps import Maps, Spread
from bundle.transforms.random import normal, uniform

POSE_KNOTS = 5
"""Control points per side of the common elastic deformation."""


def draw_levels(spread: Spread, batch: int, random: torch.Generator) -> torch.Tensor:
    """Draw levels (B,), places in :data:`bundle.domain.LEVELS`."""
    position = uniform(random, (batch,))
    level = torch.zeros_like(position, dtype=torch.long)
    for bound in list(accumulate(_all_shares(spread)))[:-1]:
        level = level + (position >= bound)
    return level


def draw(spread: Spread, level: torch.Tensor, size: Sequence[int], random: torch.Generator) -> Maps:
    """Draw the maps of a batch.

    Args:
        spread: what the common poses are drawn from, and the levels that can be in the batch.
        level: (B,), places in :data:`bundle.domain.LEVELS`.
        size: (H, W).
        random: source of randomness.
    """
    ratio = max(size) / REFERENCE_SIZE
    elastic = torch.zeros(len(level), 2, *size, device=random.device)
    ranges = torch.zeros(3, len(level), device=random.device)
    for index, (one, share) in enumerate(zip(LEVELS.values(), _all_shares(spread), strict=True)):
        if one == Level() or share == 0:
            continue
        drawn = (level == index).float()
        if random.device.type == "cpu" and not drawn.any():
            continue
        # of all pairs: to choose them costs more on a GPU
        field = random_elastic(len(level), size, one.sigma * ratio, one.std * ratio, random)
        elastic = elastic + field * drawn[:, None, None, None]
        halves = (one.rotation, one.scale, one.translation * ratio)
        ranges = ranges + torch.stack([drawn * half for half in halves])
    matrix = random_affine(ranges, random)
    if spread.pose == 0:
        return Maps(elastic, matrix)
    return Maps(elastic, matrix, *_draw_poses(spread, len(level), size, random))


def _all_shares(spread: Spread) -> list[float]:
    """Probabilities of all levels, in the order of :data:`bundle.domain.LEVELS`."""
    shares = dict(zip(spread.levels, spread.shares, strict=True))
    return [shares.get(name, 0.0) for name in LEVELS]


def _draw_poses(
    spread: Spread, batch: int, size: Sequence[int], random: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Common elastic displacements (B, 2, H, W) and affine maps (B, 3, 3)."""
    ratio = max(size) / REFERENCE_SIZE
    knots = normal(random, (batch, 2, POSE_KNOTS, POSE_KNOTS)) * (spread.pose_elastic * ratio)
    shape = functional.interpolate(knots, tuple(size), mode="bicubic", align_corners=True)
    halves = (spread.pose, spread.pose_scale, spread.pose_translation * ratio)
    one = torch.ones(batch, device=random.device)
    matrix = random_affine(torch.stack([one * half for half in halves]), random)
    columns = torch.where(uniform(random, (batch,)) < 0.5, -one, one)
    return shape, torch.stack([one, columns, one], dim=1)[:, :, None] * matrix


def random_affine(ranges: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Random affine maps about the centre, as :func:`bundle.transforms.draw_monai.affine_matrix`.

    Args:
        ranges: (3, B), half ranges of the rotation in degrees, of the scaling, and of the
            translation in voxels.
        random: source of randomness.

    Returns:
        (B, 3, 3): a scaling, then a shift, then a rotation of centred voxel coordinates ij.
    """
    batch = ranges.shape[1]
    angle = uniform(random, (batch,), -1.0, 1.0) * ranges[0] * (math.pi / 180)
    scaling = 1.0 + uniform(random, (batch, 2), -1.0, 1.0) * ranges[1, :, None]
    shift = uniform(random, (batch, 2), -1.0, 1.0) * ranges[2, :, None]
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([cos, -sin, sin, cos], dim=1).view(batch, 2, 2)
    upper = torch.cat([turn * scaling[:, None], turn @ shift[:, :, None]], dim=2)
    last = torch.zeros_like(upper[:, :1])
    last[..., 2] = 1.0
    return torch.cat([upper, last], dim=1)


def random_elastic(
    batch: int, size: Sequence[int], sigma: float, std: float, random: torch.Generator
) -> torch.Tensor:
    """Smooth random displacements, as :func:`bundle.transforms.draw_monai.elastic_displacement`.

    Args:
        batch: how many.
        size: (H, W).
        sigma: smoothness in voxels.
        std: standard deviation of each component in voxels.
        random: source of randomness.

    Returns:
        (B, 2, H, W), voxels, ij.
    """
    spacing = max(1, round(SPACING_PER_SIGMA * sigma))
    knots = _knots(tuple(size), spacing)
    offsets = MAGNITUDE_PER_STD * std * normal(random, (batch, 2, *knots))
    field = functional.interpolate(
        offsets, scale_factor=float(spacing), mode="bicubic", align_corners=False
    )
    top, left = ((have - want) // 2 for have, want in zip(field.shape[2:], size, strict=True))
    return field[..., top : top + size[0], left : left + size[1]]


@lru_cache(maxsize=16)
def _knots(size: tuple[int, ...], spacing: int) -> tuple[int, ...]:
    """Numbers of control points of MONAI's elastic deformations."""
    return tuple(create_control_grid(size, (spacing, spacing)).shape[1:])
