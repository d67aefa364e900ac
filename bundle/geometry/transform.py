"""The total transform of a volume: start and field as one mapping, applied once."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch

from bundle.registration.rigid import as_transform


def total_transform(start: torch.Tensor, *fields: sitk.Image) -> sitk.CompositeTransform:
    """Compose start and fields: a fixed point x goes to start(x + field(x)).

    Args:
        start: (4, 4), millimetres, LPS, fixed to moving points.
        *fields: ITK displacement fields on the fixed grid, millimetres, LPS, pull-back; of
            several the last one is applied to the fixed point first.

    Returns:
        what ``transform.h5`` holds: SimpleITK, ANTs and 3D Slicer apply it to the moving volume.
    """
    composite = sitk.CompositeTransform(3)
    composite.AddTransform(as_transform(start.numpy()))  # ITK applies the last one first
    for field in fields:
        composite.AddTransform(field_transform(field))
    return composite


def total_field(transform: sitk.Transform, grid: sitk.Image) -> sitk.Image:
    """The total displacement on a grid, float32 vectors, millimetres, LPS, pull-back."""
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


def jacobian_determinant(field: sitk.Image) -> sitk.Image:
    """By what factor a field changes volumes, on its grid; 0 or less where it folds.

    ITK's own filter takes the differences along the grid's axes and the vectors as they are, in
    LPS: that is right on grids along LPS only. Here the vectors are turned to the axes first.

    Args:
        field: displacements, millimetres, LPS, pull-back; any orientation of the grid.
    """
    direction = np.reshape(field.GetDirection(), (3, 3))
    vectors = sitk.GetArrayFromImage(field).astype(np.float64) @ direction
    along = sitk.GetImageFromArray(vectors, isVector=True)
    along.SetSpacing(field.GetSpacing())
    determinant = sitk.DisplacementFieldJacobianDeterminant(along)
    determinant.CopyInformation(field)
    return determinant


def resample(
    moving: sitk.Image, grid: sitk.Image, transform: sitk.Transform, mode: int = sitk.sitkLinear
) -> sitk.Image:
    """Interpolate the original moving volume once, on the fixed grid.

    Outside it is the volume's minimum, or 0 by nearest neighbour: no label.
    """
    nearest = mode == sitk.sitkNearestNeighbor
    lowest = 0.0 if nearest else float(sitk.GetArrayViewFromImage(moving).min())
    return sitk.Resample(moving, grid, transform, mode, lowest, moving.GetPixelID())
