"""Affine and elastic maps of the plane, for single pictures and for batches, and their inverse."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from monai.transforms import RandAffine
from monai.utils import convert_to_tensor
from torch.nn import functional

from bundle.networks.cross_attention import token_grid
from bundle.networks.warp import warp_tokens


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


def apply_affine(points: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Map centred points (..., 2, H, W), ij, by homogeneous (..., 3, 3) matrices."""
    turned = torch.einsum("...rc,...chw->...rhw", matrix[..., :2, :2], points)
    return turned + matrix[..., :2, 2, None, None]


def centred_grid(size: Sequence[int], device: torch.device | None = None) -> torch.Tensor:
    """Voxel coordinates (2, H, W), ij, with 0 in the middle of the picture, float32."""
    grid = token_grid(torch.empty(1, 1, *size, device=device))[0]
    middle = [(length - 1) / 2 for length in size]
    return torch.stack([axis - half for axis, half in zip(grid, middle, strict=True)])


def invert(elastic: torch.Tensor, matrix: torch.Tensor, tolerance: float = 5e-3) -> torch.Tensor:
    """Invert y -> A(y + e(y)) by fixed-point iteration y <- A^-1 x - e(y).

    The displacement is smooth, so the iteration runs at a quarter of the size until it stands;
    a few steps at full size then take out what that cost.

    Args:
        elastic: e, (B, 2, H, W), voxels, ij.
        matrix: A, (B, 3, 3), on centred voxel coordinates.
        tolerance: largest change in voxels at which to stop.

    Returns:
        ddf (B, 2, H, W), voxels, ij: y(x) - x, so that a picture distorted by A(y + e(y)) is
        restored by pulling it back with the ddf.
    """
    height, width = elastic.shape[2:]
    points = centred_grid((height, width), elastic.device)
    target = apply_affine(points, torch.linalg.inv(matrix)) - points
    small = (max(2, height // 4), max(2, width // 4))
    ratio = elastic.new_tensor([(height - 1) / (small[0] - 1), (width - 1) / (small[1] - 1)])
    coarse = _fixed_point(
        _resize(elastic, small) / ratio[:, None, None],
        _resize(target, small) / ratio[:, None, None],
        elastic.new_zeros(len(elastic), 2, *small),
        tolerance / float(ratio.max()),
        iterations=60,
    )
    start = _resize(coarse * ratio[:, None, None], (height, width))
    return _fixed_point(elastic, target, start, tolerance, iterations=12)


def _fixed_point(
    elastic: torch.Tensor,
    target: torch.Tensor,
    ddf: torch.Tensor,
    tolerance: float,
    iterations: int,
) -> torch.Tensor:
    """Iterate u <- target - e(x + u)."""
    for _ in range(iterations):
        step = target - warp_tokens(elastic, ddf)
        change = float((step - ddf).abs().amax())
        ddf = step
        if change < tolerance:
            break
    return ddf


def inverse_in_steps(
    elastic: torch.Tensor, matrix: torch.Tensor, iterations: int = 25
) -> torch.Tensor:
    """The same as :func:`invert` for a batch on a GPU: nothing there waits for the CPU to look.

    Args:
        elastic: e, (B, 2, H, W), voxels, ij.
        matrix: A, (B, 3, 3), on centred voxel coordinates.
        iterations: always so many; 25 leave less than 0.0001 px on average at every level.

    Returns:
        ddf (B, 2, H, W), voxels, ij.
    """
    points = centred_grid(elastic.shape[2:], elastic.device)
    target = apply_affine(points, _inverse(matrix)) - points
    ddf = torch.zeros_like(elastic)
    for _ in range(iterations):
        ddf = target - warp_tokens(elastic, ddf)
    return ddf


def _inverse(matrix: torch.Tensor) -> torch.Tensor:
    """Inverse of affine maps (B, 3, 3) by cofactors: ``torch.linalg.inv`` waits for a GPU."""
    (a, b, c), (d, e, f) = (row.unbind(dim=-1) for row in matrix[:, :2].unbind(dim=1))
    area, none = a * e - b * d, torch.zeros_like(a)
    rows = [e, -b, b * f - c * e, -d, a, c * d - a * f, none, none, area]
    return (torch.stack(rows, dim=1) / area[:, None]).view(-1, 3, 3)


def _resize(field: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return functional.interpolate(field, size, mode="bilinear", align_corners=True)
