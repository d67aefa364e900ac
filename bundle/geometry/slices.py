"""Volumes as stacks of slices in the orientation of a radiological picture, and back."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch

from bundle.domain import PLANES
from bundle.geometry.fields import to_itk


def to_slices(volume: sitk.Image, plane: str = "axial") -> torch.Tensor:
    """Cut a volume into slices that look like radiological pictures.

    Whatever the order and the direction of its axes: in axial slices the array axis closest to
    the body's long axis becomes the last one, rows run from anterior to posterior and columns
    from the patient's right to the left (ITK orientation LPS): what a network trained on
    pictures has seen. For the other planes see :data:`bundle.domain.PLANES`.

    Args:
        volume: a scalar 3D volume.
        plane: axial, coronal or sagittal.

    Returns:
        (1, H, W, D), rows, columns and slices, in the type of the volume.
    """
    array = sitk.GetArrayFromImage(sitk.DICOMOrient(volume, PLANES[plane]))
    return torch.from_numpy(array).movedim(0, -1)[None]


def oriented_grid(volume: sitk.Image, plane: str) -> sitk.Image:
    """An empty volume, uint8, whose columns, rows and slices are x, y and z; the same voxels."""
    grid = sitk.Image(volume.GetSize(), sitk.sitkUInt8)
    grid.CopyInformation(volume)
    return sitk.DICOMOrient(grid, PLANES[plane])


def plane_size(volume: sitk.Image, plane: str) -> tuple[int, int]:
    """Rows and columns of the slices in a plane."""
    columns, rows, _ = oriented_grid(volume, plane).GetSize()
    return rows, columns


def plane_spacing(volume: sitk.Image, plane: str) -> tuple[float, float, float]:
    """Millimetres per row, column and slice in a plane."""
    columns, rows, slices = oriented_grid(volume, plane).GetSpacing()
    return rows, columns, slices


def in_plane_of(slices: torch.Tensor, plane: str, other: str) -> torch.Tensor:
    """Slices of one plane as those of another plane, the same voxels.

    Args:
        slices: (C, H, W, D), see :func:`to_slices`.
        plane: their plane.
        other: the plane that is wanted.

    Returns:
        (C, H', W', D'), a view.
    """
    axial = slices  # rows to the back, columns to the left, slices upwards
    if plane == "coronal":
        axial = slices.flip(1).permute(0, 3, 2, 1)
    elif plane == "sagittal":
        axial = slices.flip(1, 3).permute(0, 2, 3, 1)
    if other == "coronal":
        return axial.permute(0, 3, 2, 1).flip(1)
    if other == "sagittal":
        return axial.permute(0, 3, 1, 2).flip(1, 3)
    return axial


def from_slices(slices: torch.Tensor, grid: sitk.Image, plane: str = "axial") -> sitk.Image:
    """Undo :func:`to_slices`.

    Args:
        slices: (1, H, W, D).
        grid: the volume that was cut.
        plane: the plane of the slices.

    Returns:
        a float32 volume on exactly this grid.
    """
    oriented = oriented_grid(grid, plane)
    array = slices[0].movedim(-1, 0).detach().cpu().numpy().astype(np.float32)
    volume = sitk.GetImageFromArray(array)
    volume.CopyInformation(oriented)
    return _orient_back(volume, grid)


def field_from_slices(ddf: torch.Tensor, grid: sitk.Image, plane: str = "axial") -> sitk.Image:
    """Turn the slices' fields into one ITK displacement field of the volume.

    Args:
        ddf: (2, H, W, D), voxels, channel 0 = row, channel 1 = column of the slices that
            :func:`to_slices` gives, pull-back; or (3, H, W, D): slice, row, column.
        grid: the volume that was cut.
        plane: the plane of the slices.

    Returns:
        a 3-component float32 field on exactly this grid, millimetres, LPS, pull-back; of two
        channels with no displacement across the slices.
    """
    steps = ddf.movedim(-1, 1)
    if len(steps) == 2:
        steps = torch.cat([torch.zeros_like(steps[:1]), steps])
    return _orient_back(to_itk(steps, oriented_grid(grid, plane)), grid)


def _orient_back(image: sitk.Image, grid: sitk.Image) -> sitk.Image:
    code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(grid.GetDirection())
    image = sitk.DICOMOrient(image, code)
    image.CopyInformation(grid)  # re-orienting forth and back rounds the origin
    return image
