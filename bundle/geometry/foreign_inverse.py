"""The inverse of a transform that another tool may have made, and how well an inverse fits.

Such a field may fold. ITK's inversion then ends near where it can, while the fixed point of
:mod:`bundle.geometry.inverse`, which takes less time and is closer for fields that do not fold,
goes astray.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from bundle.geometry.transform import as_transform, displacement_field, parts_of

STEPS = 50
"""Iterations of the numerical inversion; ITK stops sooner at 0.001 voxels."""

SIDE = 32
"""About how many points per axis the affine map is fitted to."""


def inverted(transform: sitk.Transform, grid: sitk.Image) -> tuple[sitk.Transform, float]:
    """Invert a transform, part by part.

    A linear part is inverted exactly; of a displacement field the affine map that fits it best,
    exactly, and numerically what is left of it, on the field's own grid.

    Args:
        transform: maps fixed to moving points.
        grid: in the moving image's space; where the error is measured.

    Returns:
        the transform from moving to fixed points, and the mean of |T(T^-1(x)) - x| in mm over
        the points of ``grid`` that come from inside all fields; NaN if none does.
    """
    inverses: list[sitk.Transform] = []  # in the order they are applied
    inside = np.ones(grid.GetSize()[::-1], bool)
    for part in parts_of(transform):  # the first is applied last, so its inverse comes first
        if part.IsLinear():
            inverses.append(part.GetInverse())
        else:
            field = sitk.DisplacementFieldTransform(part)
            inverses += _field_inverse(field)
            inside &= _within(field, sitk.CompositeTransform(inverses[::-1]), grid)
    backward = sitk.CompositeTransform(inverses[::-1])
    return backward, _mean_error(transform, backward, grid, inside)


def inverse_error(transform: sitk.Transform, backward: sitk.Transform, grid: sitk.Image) -> float:
    """How well a transform's inverse fits it.

    Args:
        transform: maps fixed to moving points.
        backward: maps moving to fixed points.
        grid: in the moving image's space.

    Returns:
        as of :func:`inverted`.
    """
    first = parts_of(transform)[-1]
    inside = np.ones(grid.GetSize()[::-1], bool)
    if not first.IsLinear():
        inside = _within(sitk.DisplacementFieldTransform(first), backward, grid)
    return _mean_error(transform, backward, grid, inside)


def _mean_error(
    transform: sitk.Transform, backward: sitk.Transform, grid: sitk.Image, inside: np.ndarray
) -> float:
    both = sitk.CompositeTransform([transform, backward])
    error = sitk.GetArrayFromImage(sitk.VectorMagnitude(displacement_field(both, grid)))[inside]
    return float(error.mean()) if error.size else float("nan")


def _field_inverse(transform: sitk.DisplacementFieldTransform) -> list[sitk.Transform]:
    """Inverses of a field's affine part and of the rest, in the order they are applied."""
    field = transform.GetDisplacementField()
    few = field[tuple(slice(None, None, max(1, n // SIDE)) for n in field.GetSize())]
    vectors = sitk.GetArrayFromImage(few).reshape(-1, 3)
    points = _points(few)
    design = np.c_[points, np.ones(len(points))]
    affine = np.eye(4)
    affine[:3] = np.linalg.lstsq(design, points + vectors, rcond=None)[0].T
    linear = as_transform(affine)
    rest = displacement_field(sitk.CompositeTransform([linear.GetInverse(), transform]), field)
    inverse = sitk.InvertDisplacementField(
        sitk.Cast(rest, sitk.sitkVectorFloat64),
        maximumNumberOfIterations=STEPS,
        enforceBoundaryCondition=False,
    )
    return [linear.GetInverse(), sitk.DisplacementFieldTransform(inverse)]


def _points(grid: sitk.Image) -> np.ndarray:
    """Points of a grid in mm, (N, 3), in the order of its array."""
    sizes = grid.GetSize()
    index = np.stack(np.meshgrid(*(np.arange(n) for n in sizes[::-1]), indexing="ij"), -1)
    steps = np.reshape(grid.GetDirection(), (3, 3)) * grid.GetSpacing()
    return index.reshape(-1, 3)[:, ::-1] @ steps.T + grid.GetOrigin()


def _within(
    field: sitk.DisplacementFieldTransform, backward: sitk.Transform, grid: sitk.Image
) -> np.ndarray:
    """Which points of a grid come from inside a field."""
    full = sitk.VectorMagnitude(field.GetDisplacementField()) * 0 + 1
    shown = sitk.Resample(full, grid, backward, sitk.sitkNearestNeighbor, 0.0)
    return sitk.GetArrayFromImage(shown) > 0
