"""Displacement fields on disk.

In tensors a ddf is in voxels, its channels in the order of the array axes (row i, column j), and
pulls back: ``warped(x) = moving(x + ddf(x))``. On disk it is an ITK displacement field, which
pulls back as well, but in physical units with the components in ITK's order (x, y[, z]).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch


def to_itk(ddf: torch.Tensor, grid: sitk.Image) -> sitk.Image:
    """Turn a voxel field into an ITK displacement field on a grid.

    ``SimpleITK.DisplacementFieldTransform(SimpleITK.ReadImage(path, sitk.sitkVectorFloat64))``
    takes the written field, and ``Resample(moving, fixed, transform, sitkLinear, outside)``
    then gives ``warped``.

    Args:
        ddf: (n, *shape), voxels, channels in the order of the array axes: (i, j) on a picture's
            (H, W), (k, i, j) on a volume's (D, H, W); pull-back.
        grid: the n-dimensional image whose array has that shape (a SimpleITK array's axes are
            in reverse order: z, y, x); it gives spacing, origin and direction.

    Returns:
        a float32 vector image on the grid: millimetres in ITK's physical (LPS) space, or pixels
        for a picture, whose spacing is 1.

    Raises:
        ValueError: the field does not have the grid's shape.
    """
    shape = (grid.GetDimension(), *reversed(grid.GetSize()))
    if tuple(ddf.shape) != shape:
        raise ValueError(f"ddf must have the grid's shape {shape}, got {tuple(ddf.shape)}")
    steps = np.moveaxis(ddf.detach().cpu().double().numpy()[::-1], 0, -1)  # x, y[, z] last
    direction = np.reshape(grid.GetDirection(), (grid.GetDimension(), -1))
    vectors = (steps * grid.GetSpacing()) @ direction.T
    field = sitk.GetImageFromArray(vectors.astype(np.float32), isVector=True)
    field.CopyInformation(grid)
    return field


def picture_grid(height: int, width: int) -> sitk.Image:
    """Make the grid of a picture: x = column, y = row, spacing 1, origin 0.

    Args:
        height: number of rows.
        width: number of columns.

    Returns:
        an empty 2D image of size (width, height).
    """
    return sitk.Image([width, height], sitk.sitkUInt8)


def write_field(field: sitk.Image, path: Path) -> None:
    """Write an ITK displacement field.

    SimpleITK does it because other NIfTI libraries leave the components as they are while ITK
    reads them as LPS or RAS depending on the intent code.

    Args:
        field: a vector image as :func:`to_itk` makes it.
        path: ends in ``.nii.gz``.
    """
    sitk.WriteImage(field, str(path), useCompression=True)
