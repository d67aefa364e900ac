"""Random smooth maps of a volume: a pose, another anatomy, and a misalignment with its inverse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation
from torch.nn import functional

STEP = 4.0
"""Millimetres between the points of the maps."""

POSE = (12.0, 0.1, 8.0)
"""Of both images: degrees and share of the size, at most, and mm of shift, deviation."""

ANATOMY = (5.0, (12.0, 30.0))
"""Elastic change of the anatomy: deviation in mm, at most, and sigma of its Gaussian in mm."""

ELASTIC = (5.0, (9.0, 26.0))
"""Of the misalignment: likewise."""

STEEPEST = 0.25
"""Deviation of an elastic displacement per sigma, at most: steeper ones fold."""

RESIDUAL = ((1.5, 1.5), (5.0, 6.0))
"""What a rigid start leaves, degrees and mm, deviation: mostly, and after a poor one."""

POOR = 0.12
"""Share of poor starts."""

STILL = 0.08
"""Share of pairs that are aligned already."""

_ROUNDS = 12  # of the fixed-point iteration that inverts a field


@dataclass(frozen=True)
class Maps:
    """Where the voxels of both images come from; points in mm, axes z, y, x, from the middle.

    Attributes:
        fixed: (3, D, H, W), places in the head.
        moving: likewise, of the misaligned image.
        ddf: (3, D, H, W), mm, pull-back: moving(x + ddf(x)) shows what fixed(x) shows.
    """

    fixed: torch.Tensor
    moving: torch.Tensor
    ddf: torch.Tensor


def draw_maps(shape: Sequence[int], rng: np.random.Generator) -> Maps:
    """Draw all maps.

    Args:
        shape: (D, H, W), points ``STEP`` mm apart.
        rng: the source.
    """
    points = middle_grid(shape, STEP)
    turn, scale, shift = POSE
    matrix = _rotation(rng.uniform(-turn, turn, 3)) @ np.diag(1 + rng.uniform(-scale, scale, 3))
    pose = torch.from_numpy(matrix.astype(np.float32))
    offset = torch.from_numpy(rng.normal(0, shift, 3).astype(np.float32)).view(3, 1, 1, 1)
    anatomy = _elastic(shape, ANATOMY, rng)
    ddf = _misalignment(points, rng)
    inverse = inverse_of(ddf)

    def placed(where: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
        return torch.einsum("ij,jdhw->idhw", pose, where) + offset + change

    moved = points + inverse
    return Maps(placed(points, anatomy), placed(moved, sampled(anatomy, moved, STEP)), ddf)


def inverse_of(ddf: torch.Tensor) -> torch.Tensor:
    """The inverse of a smooth field (3, D, H, W) in mm, by fixed-point iteration."""
    points = middle_grid(ddf.shape[1:], STEP)
    inverse = -ddf
    for _ in range(_ROUNDS):
        inverse = -sampled(ddf, points + inverse, STEP)
    return inverse


def middle_grid(shape: Sequence[int], step: float) -> torch.Tensor:
    """Points (3, D, H, W) in mm from the middle of a grid."""
    axes = [(torch.arange(n, dtype=torch.float32) - (n - 1) / 2) * step for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def sampled(
    volume: torch.Tensor, places: torch.Tensor, step: float, padding: str = "border"
) -> torch.Tensor:
    """Values (C, d, h, w) of a volume (C, D, H, W) at places (3, d, h, w), mm from its middle."""
    half = torch.tensor(volume.shape[1:]).view(3, 1, 1, 1) * (step / 2)
    grid = (places / half).flip(0).permute(1, 2, 3, 0)[None]
    return functional.grid_sample(volume[None], grid, padding_mode=padding, align_corners=False)[0]


def _misalignment(points: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    if rng.uniform() < STILL:
        return torch.zeros_like(points)
    degrees, mm = RESIDUAL[rng.uniform() < POOR]
    turn = torch.from_numpy(_rotation(rng.normal(0, degrees, 3)).astype(np.float32))
    shift = torch.from_numpy(rng.normal(0, mm, 3).astype(np.float32)).view(3, 1, 1, 1)
    rigid = torch.einsum("ij,jdhw->idhw", turn, points) - points + shift
    return rigid + _elastic(points.shape[1:], ELASTIC, rng)


def _elastic(
    shape: Sequence[int], most: tuple[float, tuple[float, float]], rng: np.random.Generator
) -> torch.Tensor:
    """Smooth normal displacements (3, D, H, W), mm."""
    sigma = rng.uniform(*most[1])
    deviation = rng.uniform(0, min(most[0], STEEPEST * sigma))
    parts = []
    for _ in range(3):
        part = gaussian_filter(
            rng.standard_normal(shape, dtype=np.float32), sigma / STEP, truncate=3
        )
        parts.append(part * np.float32(deviation / part.std()))
    return torch.from_numpy(np.stack(parts))


def _rotation(degrees: np.ndarray) -> np.ndarray:
    return Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
