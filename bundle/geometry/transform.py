"""Transforms between volumes: linear ones, displacement fields, and their composition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk


def as_matrix(transform: sitk.Transform) -> np.ndarray:
    """The (4, 4) matrix of a linear transform, millimetres, LPS."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    matrix = np.eye(4)
    matrix[:3, 3] = origin
    for axis in range(3):
        point = [0.0, 0.0, 0.0]
        point[axis] = 1.0
        matrix[:3, axis] = np.array(transform.TransformPoint(point)) - origin
    return matrix


def as_transform(matrix: np.ndarray | Sequence[Sequence[float]]) -> sitk.AffineTransform:
    """The ITK transform of a (4, 4) matrix, millimetres, LPS."""
    matrix = np.asarray(matrix, dtype=np.float64)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform


def compose(start: np.ndarray, *fields: sitk.Image) -> sitk.CompositeTransform:
    """Compose a linear start and fields: a fixed point x goes to start(x + field(x)).

    Args:
        start: (4, 4), millimetres, LPS, fixed to moving points.
        *fields: ITK displacement fields on the fixed grid, millimetres, LPS, pull-back; of
            several the last one is applied to the fixed point first.

    Returns:
        what ``transform.h5`` holds: SimpleITK, ANTs and 3D Slicer apply it to the moving volume.
    """
    composite = sitk.CompositeTransform(3)
    composite.AddTransform(as_transform(start))  # ITK applies the last one first
    for field in fields:
        composite.AddTransform(field_transform(field))
    return composite


def parts_of(transform: sitk.Transform) -> list[sitk.Transform]:
    """The parts of a transform, in the order they were added: the last is applied first."""
    if transform.GetTransformEnum() != sitk.sitkComposite:
        return [transform.Downcast()]
    composite = sitk.CompositeTransform(transform)
    found = [composite.GetNthTransform(n) for n in range(composite.GetNumberOfTransforms())]
    return [part for one in found for part in parts_of(one)]


def displacement_field(transform: sitk.Transform, grid: sitk.Image) -> sitk.Image:
    """A transform as displacements on a grid, float32 vectors, millimetres, LPS, pull-back."""
    return sitk.TransformToDisplacementField(
        transform,
        sitk.sitkVectorFloat32,
        grid.GetSize(),
        grid.GetOrigin(),
        grid.GetSpacing(),
        grid.GetDirection(),
    )


def field_transform(field: sitk.Image) -> sitk.Transform:
    """A displacement field, millimetres, LPS, pull-back, as a transform; the field stays."""
    return sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))


def onto(volume: sitk.Image, grid: sitk.Image) -> sitk.Image:
    """A smooth volume, or vectors, on another grid, float32; beyond its border it goes on."""
    scalar = volume.GetNumberOfComponentsPerPixel() == 1
    return sitk.Resample(
        volume, grid.GetSize(), sitk.Transform(), sitk.sitkLinear, grid.GetOrigin(),
        grid.GetSpacing(), grid.GetDirection(), 0.0,
        sitk.sitkFloat32 if scalar else sitk.sitkVectorFloat32, True,
    )  # fmt: skip


def resample(
    moving: sitk.Image,
    grid: sitk.Image,
    transform: sitk.Transform,
    mode: int = sitk.sitkLinear,
    beyond: bool = False,
) -> sitk.Image:
    """Interpolate the original moving volume once, on the fixed grid.

    Outside it is the volume's minimum, or 0 by nearest neighbour: no label. With ``beyond`` it is
    the nearest voxel of the volume.
    """
    nearest = mode == sitk.sitkNearestNeighbor
    lowest = 0.0 if nearest else float(sitk.GetArrayViewFromImage(moving).min())
    return sitk.Resample(moving, grid, transform, mode, lowest, moving.GetPixelID(), beyond)
