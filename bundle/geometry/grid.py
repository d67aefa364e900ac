"""Grids of voxels in space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import SimpleITK as sitk


def on_one_grid(first: sitk.Image, second: sitk.Image, tolerance: float | None = None) -> bool:
    """Whether two volumes have the same voxels in space.

    Args:
        first: 3D.
        second: 3D.
        tolerance: distance in mm between their corners that counts as rounding; by default a
            hundredth of the first one's smallest voxel size.
    """
    if first.GetSize() != second.GetSize():
        return False
    limit = 1e-2 * min(first.GetSpacing()) if tolerance is None else tolerance
    corners = [
        [one.TransformIndexToPhysicalPoint(index) for one in (first, second)]
        for index in product(*((0, count - 1) for count in first.GetSize()))
    ]
    return all(math.dist(*pair) <= limit for pair in corners)


def same_extent(volume: sitk.Image, counts: Sequence[int]) -> sitk.Image:
    """An empty volume, uint8, of the same extent in other voxels.

    Args:
        volume: 3D; orientation and outer edges stay.
        counts: voxels along its axes.
    """
    old, sizes = np.array(volume.GetSpacing()), np.array(volume.GetSize())
    return _about_the_middle(volume, counts, old * sizes / counts)


def counts_at(volume: sitk.Image, resolution: float) -> tuple[int, int, int]:
    """How many voxels of a size in mm cover a volume along its axes."""
    sides = np.array(volume.GetSpacing()) * volume.GetSize()
    x, y, z = (max(1, math.ceil(side / resolution - 1e-6)) for side in sides.tolist())
    return x, y, z


def at_resolution(volume: sitk.Image, resolution: float) -> sitk.Image:
    """An empty volume, uint8, of cubic voxels that cover a volume.

    Args:
        volume: 3D; orientation and middle stay, the outer edges lie less than a voxel further out.
        resolution: side of the voxels, mm.
    """
    return _about_the_middle(volume, counts_at(volume, resolution), np.full(3, resolution))


def image_on(grid: sitk.Image, values: np.ndarray) -> sitk.Image:
    """Values as an image on a grid.

    Args:
        grid: gives origin, spacing and direction.
        values: (z, y, x), or vectors in a fourth axis.
    """
    image = sitk.GetImageFromArray(np.ascontiguousarray(values), isVector=values.ndim == 4)
    image.CopyInformation(grid)
    return image


def _about_the_middle(volume: sitk.Image, counts: Sequence[int], spacing: np.ndarray) -> sitk.Image:
    """A grid of other voxels with the same orientation and middle."""
    old, sizes = np.array(volume.GetSpacing()), np.array(volume.GetSize())
    direction = np.reshape(volume.GetDirection(), (3, 3))
    corner = (old * (sizes - 1) - spacing * (np.array(counts) - 1)) / 2
    grid = sitk.Image([int(count) for count in counts], sitk.sitkUInt8)
    grid.SetSpacing(spacing.tolist())
    grid.SetDirection(volume.GetDirection())
    grid.SetOrigin((volume.GetOrigin() + direction @ corner).tolist())
    return grid
