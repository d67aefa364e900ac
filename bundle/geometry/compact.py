"""A transform between volumes as a matrix and one field on a coarse grid: what is written.

The elastic part is smooth and made in voxels of about 2 mm, so a field of the fixed volume's size
holds nothing more. The linear part is exact wherever the field is interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import SimpleITK as sitk

from bundle.geometry.grid import same_extent
from bundle.geometry.inverse import inverse_field
from bundle.geometry.transform import (
    as_matrix,
    as_transform,
    compose,
    displacement_field,
    parts_of,
)

VOXEL = 2.0
"""Voxel size in mm of written forward fields; a volume's own where that is larger."""

STEP = 2.0**-6
"""Displacements in mm are multiples of it: what is below is noise that does not compress."""


@dataclass(frozen=True)
class CompactTransform:
    """A fixed point x goes to matrix(x + elastic(x)); millimetres, LPS.

    Attributes:
        matrix: (4, 4), the linear part.
        elastic: displacements on the grid, float64 vectors, pull-back; None: there are none.
        grid: covers the centres of the fixed volume's outermost voxels.
    """

    matrix: np.ndarray
    elastic: sitk.Image | None
    grid: sitk.Image

    @property
    def forward(self) -> sitk.CompositeTransform:
        """From fixed to moving points."""
        return compose(self.matrix, *([self.elastic] if self.elastic else []))

    @property
    def backward(self) -> sitk.CompositeTransform:
        """From moving to fixed points: the inverse matrix, then the inverse field."""
        inverse = sitk.CompositeTransform(3)  # ITK applies the last one first
        if self.elastic:
            field = rounded(inverse_field(self.elastic), sitk.sitkVectorFloat64)
            inverse.AddTransform(sitk.DisplacementFieldTransform(field))
        inverse.AddTransform(as_transform(np.linalg.inv(self.matrix)))
        return inverse

    @cached_property
    def displacement(self) -> sitk.Image:
        """The whole mapping as displacements on the grid, float32 vectors, pull-back."""
        total = displacement_field(self.forward, self.grid)
        return rounded(total, sitk.sitkVectorFloat32)


def compact(transform: sitk.Transform, fixed: sitk.Image) -> CompactTransform:
    """Put a transform onto a grid of about 2 mm.

    Args:
        transform: fixed to moving points, as :func:`bundle.geometry.transform.compose` makes it:
            linear at its end, any number of fields before.
        fixed: the fixed volume.
    """
    linear, *fields = parts_of(transform)
    inner = coarse_grid(fixed)
    # nodes of coarse voxels lie within the outermost centres: go on for one of them
    rim = [int(new > old) for new, old in zip(inner.GetSpacing(), fixed.GetSpacing(), strict=True)]
    grid = sitk.ConstantPad(inner, rim, rim)
    if not fields:
        return CompactTransform(as_matrix(linear), None, grid)
    elastic = displacement_field(sitk.CompositeTransform(fields), inner)
    elastic = rounded(sitk.ZeroFluxNeumannPad(elastic, rim, rim), sitk.sitkVectorFloat64)
    return CompactTransform(as_matrix(linear), elastic, grid)


def coarse_grid(volume: sitk.Image, voxel: float = VOXEL) -> sitk.Image:
    """An empty volume of the same extent whose voxels are about so large, or as they are.

    Args:
        volume: 3D, in any orientation, which stays.
        voxel: mm; along an axis with larger voxels nothing changes.
    """
    old, sizes = np.array(volume.GetSpacing()), np.array(volume.GetSize())
    fewer = np.maximum(np.round(old * sizes / voxel), 2)
    counts = np.where(old < voxel, np.minimum(fewer, sizes), sizes).astype(int)
    return same_extent(volume, counts.tolist())


def rounded(field: sitk.Image, pixel: int) -> sitk.Image:
    """Displacements as multiples of ``STEP``, as another type of pixel."""
    vectors = sitk.GetArrayFromImage(field).astype(np.float64)
    result = sitk.GetImageFromArray(np.round(vectors / STEP) * STEP, isVector=True)
    result.CopyInformation(field)
    return sitk.Cast(result, pixel)
