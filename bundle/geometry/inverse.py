"""From moving to fixed points: the inverse of a transform."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch
from torch.nn import functional

from bundle.geometry.fields import to_itk
from bundle.geometry.sampling import values_at
from bundle.geometry.transform import as_transform, displacement_field, parts_of

STEPS = 50
"""Iterations of the numerical inversion; ITK stops sooner at 0.001 voxels."""

ROUNDS, TOLERANCE = 50, 2e-3
"""Iterations of the fixed point, at most, and the largest change in voxels at which it stops."""

SIDE = 32
"""About how many points per axis the affine map is fitted to."""


def inverse_field(field: sitk.Image) -> sitk.Image:
    """The field v with v(x) = -u(x + v(x)), by fixed-point iteration.

    Args:
        field: u, an elastic displacement field whose Jacobian determinant is positive,
            millimetres, LPS; beyond its border it is taken to go on.

    Returns:
        float32 vectors on the same grid, enlarged by the largest displacement: what the field
        moves out of its grid comes back.
    """
    direction = np.reshape(field.GetDirection(), (3, 3))
    steps = sitk.GetArrayViewFromImage(field) @ direction / field.GetSpacing()  # voxels, x, y, z
    rim = [int(np.ceil(most)) for most in np.abs(steps).max(axis=(0, 1, 2))]
    grid = sitk.Image(field.GetSize(), sitk.sitkUInt8)
    grid.CopyInformation(field)
    grid = sitk.ConstantPad(grid, rim, rim)
    margins = [margin for one in rim for margin in (one, one)]
    forward = torch.from_numpy(steps[..., ::-1].astype(np.float32)).movedim(-1, 0)
    forward = functional.pad(forward[None], margins, mode="replicate")
    return to_itk(_fixed_point(forward), grid)


def _fixed_point(forward: torch.Tensor) -> torch.Tensor:
    """Iterate v(x) <- -u(x + v(x)), voxel by voxel until it stands; u is (1, 3, D, H, W), voxels.

    Returns:
        v, (3, D, H, W).
    """
    shape = forward.shape[2:]
    axes = [torch.arange(n, dtype=torch.float32) for n in shape]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)
    inverse = -forward[0].flatten(1)
    moving = torch.arange(points.shape[1])
    for _ in range(ROUNDS):
        before = inverse[:, moving]
        after = -values_at(forward, points[:, moving] + before)
        inverse[:, moving] = after
        moving = moving[(after - before).abs().amax(dim=0) > TOLERANCE]
        if not len(moving):
            break
    return inverse.view(3, *shape)


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
