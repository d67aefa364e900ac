"""Affine and elastic maps of the plane and their inverse, as tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from bundle.geometry.warp import token_grid, warp_tokens

COARSE_STEPS, FINE_STEPS = 60, 12
"""The most iterations at a quarter of the size and at full size."""


def centred_grid(size: Sequence[int], device: torch.device | None = None) -> torch.Tensor:
    """Voxel coordinates (2, H, W), ij, with 0 in the middle of the picture, float32."""
    grid = token_grid(torch.empty(1, 1, *size, device=device))[0]
    middle = [(length - 1) / 2 for length in size]
    return torch.stack([axis - half for axis, half in zip(grid, middle, strict=True)])


def apply_affine(points: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Map centred points (..., 2, H, W), ij, by homogeneous (..., 3, 3) matrices."""
    turned = torch.einsum("...rc,...chw->...rhw", matrix[..., :2, :2], points)
    return turned + matrix[..., :2, 2, None, None]


def invert(
    elastic: torch.Tensor,
    matrix: torch.Tensor,
    steps: int | None = None,
    tolerance: float = 5e-3,
) -> torch.Tensor:
    """Invert y -> A(y + e(y)) by fixed-point iteration y <- A^-1 x - e(y).

    Without ``steps`` it runs until it stands. The displacement is smooth, so that is done at a
    quarter of the size; a few steps at full size then take out what that cost. With ``steps``
    nothing waits for the device, as a CUDA graph needs it.

    Args:
        elastic: e, (B, 2, H, W), voxels, ij.
        matrix: A, (B, 3, 3), on centred voxel coordinates.
        steps: iterate so many times at full size; 25 leave less than 0.0001 px on average at
            every level.
        tolerance: largest change in voxels at which to stop otherwise.

    Returns:
        ddf (B, 2, H, W), voxels, ij: y(x) - x, so that a picture distorted by A(y + e(y)) is
        restored by pulling it back with the ddf.
    """
    points = centred_grid(elastic.shape[2:], elastic.device)
    inverse = torch.linalg.inv(matrix) if steps is None else _by_cofactors(matrix)
    target = apply_affine(points, inverse) - points
    if steps is not None:
        return _fixed_point(elastic, target, torch.zeros_like(elastic), steps)
    start = _coarse_inverse(elastic, target, tolerance)
    return _fixed_point(elastic, target, start, FINE_STEPS, tolerance)


def _coarse_inverse(elastic: torch.Tensor, target: torch.Tensor, tolerance: float) -> torch.Tensor:
    """The fixed point of a quarter of the size, brought to full size, (B, 2, H, W)."""
    height, width = elastic.shape[2:]
    small = (max(2, height // 4), max(2, width // 4))
    ratio = elastic.new_tensor([(height - 1) / (small[0] - 1), (width - 1) / (small[1] - 1)])
    coarse = _fixed_point(
        _resize(elastic, small) / ratio[:, None, None],
        _resize(target, small) / ratio[:, None, None],
        elastic.new_zeros(len(elastic), 2, *small),
        COARSE_STEPS,
        tolerance / float(ratio.max()),
    )
    return _resize(coarse * ratio[:, None, None], (height, width))


def _fixed_point(
    elastic: torch.Tensor,
    target: torch.Tensor,
    ddf: torch.Tensor,
    steps: int,
    tolerance: float | None = None,
) -> torch.Tensor:
    """Iterate u <- target - e(x + u), to the end unless a tolerance is given."""
    for _ in range(steps):
        before, ddf = ddf, target - warp_tokens(elastic, ddf)
        if tolerance is not None and float((ddf - before).abs().amax()) < tolerance:
            break
    return ddf


def _by_cofactors(matrix: torch.Tensor) -> torch.Tensor:
    """Inverse of affine maps (B, 3, 3); ``torch.linalg.inv`` waits for a GPU."""
    (a, b, c), (d, e, f) = (row.unbind(dim=-1) for row in matrix[:, :2].unbind(dim=1))
    area, none = a * e - b * d, torch.zeros_like(a)
    rows = [e, -b, b * f - c * e, -d, a, c * d - a * f, none, none, area]
    return (torch.stack(rows, dim=1) / area[:, None]).view(-1, 3, 3)


def _resize(field: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return functional.interpolate(field, size, mode="bilinear", align_corners=True)
