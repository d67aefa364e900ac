"""The volumes that fields in three dimensions are sought in, and their way back into space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
from scipy.ndimage import gaussian_filter1d
from torch.nn import functional

from bundle.geometry.grid import image_on, same_extent
from bundle.geometry.slices import in_plane_of, oriented_grid
from bundle.registration.pairs import InitializedPair

VOXEL = 2.0
"""Voxel size in mm of the volumes."""

MOST = 2e7
"""Voxels of the volumes; of a larger field of view the voxels grow."""


@dataclass(frozen=True)
class CoarsePair:
    """A pair in voxels of about 2 mm that cover the fixed volume.

    Attributes:
        image: (2, H, W, D) in [0, 1], rows from front to back, columns from right to left, slices
            upwards.
        head: bool (1, H, W, D).
        spacing: mm per row, column and slice.
        grid: the same voxels in space, axes x, y, z of LPS.
    """

    image: torch.Tensor
    head: torch.Tensor
    spacing: tuple[float, float, float]
    grid: sitk.Image


def coarse_pair(image: torch.Tensor, head: torch.Tensor, grid: sitk.Image) -> CoarsePair:
    """Bring a pair to voxels of about 2 mm.

    Args:
        image: (2, H, W, D) in [0, 1], axial slices of the fixed and of the moving volume, rows
            from front to back, columns from right to left, slices upwards.
        head: (1, H, W, D), not 0 in the head.
        grid: the fixed volume.
    """
    oriented = oriented_grid(grid, "axial")
    sides = [n * s for n, s in _sides(oriented)]
    voxel = max(VOXEL, (np.prod(sides) / MOST) ** (1 / 3))
    size = [max(2, round(side / voxel)) for side in sides]
    inside = _resized(head.float(), size) > 0.5
    rows, columns, slices = (side / count for side, count in zip(sides, size, strict=True))
    return CoarsePair(
        _resized(image, size),
        inside if inside.any() else torch.ones_like(inside),
        (rows, columns, slices),
        same_extent(oriented, (size[1], size[0], size[2])),
    )


def coarse_of(initial: InitializedPair, head: torch.Tensor | None = None) -> CoarsePair:
    """Bring a pair after its start to voxels of about 2 mm.

    Args:
        initial: the pair.
        head: (1, H, W, D) in the slices of its plane, not 0 in the head; by default the pair's.
    """
    plane, head = initial.pair.plane, initial.head if head is None else head
    image, head = (in_plane_of(part, plane, "axial") for part in (initial.matched, head))
    return coarse_pair(image, head, initial.pair.fixed.image)


def finer_images(initial: InitializedPair, pair: CoarsePair, box: Sequence[slice]) -> torch.Tensor:
    """Images of a pair after its start in voxels half as large, (2, 2h, 2w, 2d) in [0, 1].

    Args:
        initial: the pair.
        pair: the same of :func:`coarse_of`.
        box: the part that is wanted, in voxels of ``pair``.
    """
    image = in_plane_of(initial.matched, initial.pair.plane, "axial")
    whole = _resized(image, [2 * count for count in pair.image.shape[1:]])
    return whole[(slice(None), *(slice(2 * side.start, 2 * side.stop) for side in box))]


def _sides(oriented: sitk.Image) -> list[tuple[int, float]]:
    """Voxels and their size along rows, columns and slices of the axial slices: y, x, z."""
    sizes, spacing = oriented.GetSize(), oriented.GetSpacing()
    return [(sizes[axis], spacing[axis]) for axis in (1, 0, 2)]


def _resized(volume: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """(C, H, W, D) at another size, with voxel edges as the common frame; means when shrinking."""
    if list(volume.shape[1:]) == list(size):
        return volume.float()
    shrunk = [min(new, old) for new, old in zip(size, volume.shape[1:], strict=True)]
    mean = functional.interpolate(volume[None].float(), shrunk, mode="area")
    if shrunk == list(size):
        return mean[0]
    return functional.interpolate(mean, list(size), mode="trilinear", align_corners=False)[0]


def vectors(displacement: np.ndarray | torch.Tensor, grid: sitk.Image) -> sitk.Image:
    """Displacements (3: x, y, z; H, W, D) in mm along the grid's axes as a field in LPS."""
    return _field(displacement, np.reshape(grid.GetDirection(), (3, 3)), grid)


def in_voxels(field: sitk.Image, spacing: Sequence[float]) -> np.ndarray:
    """A field in LPS as displacements (3: rows, columns, slices; H, W, D) in voxels of its grid.

    Args:
        field: ITK displacement field, millimetres, pull-back.
        spacing: mm per row, column and slice.
    """
    along = torch.from_numpy(_axes(field) / np.array(spacing))
    steps = torch.from_numpy(sitk.GetArrayFromImage(field)).double() @ along
    components: np.ndarray = steps.permute(3, 1, 2, 0).contiguous().numpy()
    return components


def from_voxels(displacement: np.ndarray | torch.Tensor, pair: CoarsePair) -> sitk.Image:
    """The inverse of :func:`in_voxels`, on the grid of a pair."""
    return _field(displacement, _axes(pair.grid) * np.array(pair.spacing), pair.grid)


def _field(
    displacement: np.ndarray | torch.Tensor, axes: np.ndarray, grid: sitk.Image
) -> sitk.Image:
    """Components (3, H, W, D) along axes (3, 3), in columns, as an ITK field, float64.

    With torch, which uses all threads to bring the components of a voxel together.
    """
    steps = torch.as_tensor(displacement).double().permute(3, 1, 2, 0).contiguous()
    return image_on(grid, (steps @ torch.from_numpy(axes).T).numpy())


def _axes(grid: sitk.Image) -> np.ndarray:
    """Directions of rows, columns and slices of a grid's axial slices: columns of (3, 3), LPS."""
    axes: np.ndarray = np.reshape(grid.GetDirection(), (3, 3))[:, [1, 0, 2]]
    return axes


def blurred(
    values: np.ndarray | torch.Tensor, width: float, spacing: Sequence[float]
) -> torch.Tensor:
    """A Gaussian over each component; beyond the border the outermost values go on.

    As products with matrices, which all threads of a processor share.

    Args:
        values: (C, H, W, D), in any unit.
        width: of the Gaussian, mm; 0 changes nothing.
        spacing: mm per row, column and slice.

    Returns:
        (C, H, W, D), float32.
    """
    volume = torch.as_tensor(values, dtype=torch.float32)
    if width == 0:
        return volume
    rows, columns, slices = (
        _gaussian(count, width / step)
        for count, step in zip(volume.shape[1:], spacing, strict=True)
    )
    along = columns @ (volume @ slices.T)
    return (rows @ along.flatten(2)).view_as(volume)


def _gaussian(count: int, width: float) -> torch.Tensor:
    """What a Gaussian does to so many values in a row, (N, N); the width is in values."""
    single = gaussian_filter1d(np.eye(count), width, axis=0, mode="nearest")
    return torch.from_numpy(single).float()


def scalar(values: np.ndarray, grid: sitk.Image) -> sitk.Image:
    """Values (H, W, D) on the grid."""
    return image_on(grid, np.moveaxis(values, 2, 0).astype(np.float32, copy=False))
