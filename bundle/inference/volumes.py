"""Volumes as stacks of axial slices in the orientation of a radiological picture, and back."""

from __future__ import annotations

import zlib
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.fields import to_itk
from bundle.volumes.dicom import read_series

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")
"""Suffixes, in lower case, of the files that are read as volumes."""


def read_volume(path: Path | str) -> sitk.Image:
    """Read a scalar 3D volume.

    Args:
        path: a NIfTI, NRRD or MetaImage file, or a folder with one DICOM series. A 4D file of
            one frame is taken as 3D.

    Returns:
        the volume, float64.

    Raises:
        InputError: the file is missing, damaged, not a scalar 3D volume, or holds NaN.
    """
    path = Path(path)
    if path.is_dir():
        return sitk.Cast(read_series(path), sitk.sitkFloat64)
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    try:
        volume = sitk.ReadImage(str(path))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{path}: cannot be read; export it anew ({reason})") from error
    if volume.GetDimension() == 4 and volume.GetSize()[3] == 1:
        volume = volume[:, :, :, 0]
    if volume.GetDimension() != 3 or volume.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(
            f"{path}: is {volume.GetDimension()}D with {volume.GetNumberOfComponentsPerPixel()} "
            "value(s) per voxel; extract one scalar 3D volume first"
        )
    if not np.isfinite(_raw_values(path, volume)).all():
        raise InputError(f"{path}: holds NaN or infinite values; replace them by the background")
    return sitk.Cast(volume, sitk.sitkFloat64)


def _raw_values(path: Path, volume: sitk.Image) -> np.ndarray:
    """The values in the file: ITK's NIfTI reader silently turns NaN and infinity into 0."""
    if path.name.lower().endswith((".nii", ".nii.gz")):
        try:
            return np.asanyarray(nibabel.load(path).dataobj)  # type: ignore[attr-defined]
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise InputError(f"{path}: is damaged or cut short; copy or export it anew") from error
    return sitk.GetArrayViewFromImage(volume)


def on_one_grid(fixed: sitk.Image, moving: sitk.Image) -> bool:
    """Whether both volumes have the same voxels in space."""
    step = min(fixed.GetSpacing())
    return bool(
        fixed.GetSize() == moving.GetSize()
        and np.allclose(fixed.GetOrigin(), moving.GetOrigin(), rtol=0, atol=1e-3 * step)
        and np.allclose(fixed.GetSpacing(), moving.GetSpacing(), rtol=1e-5, atol=0)
        and np.allclose(fixed.GetDirection(), moving.GetDirection(), rtol=0, atol=1e-5)
    )


def to_slices(volume: sitk.Image) -> torch.Tensor:
    """Cut a volume into axial slices that look like radiological pictures.

    Whatever the order and the direction of its axes, the array axis closest to the body's long
    axis becomes the last one, rows run from anterior to posterior and columns from the patient's
    right to the left (ITK orientation LPS): what a network trained on pictures has seen.

    Args:
        volume: a scalar 3D volume.

    Returns:
        float64 (1, H, W, D).
    """
    array = sitk.GetArrayFromImage(sitk.DICOMOrient(volume, "LPS"))
    return torch.from_numpy(array.astype(np.float64)).movedim(0, -1)[None]


def from_slices(slices: torch.Tensor, grid: sitk.Image) -> sitk.Image:
    """Undo :func:`to_slices`.

    Args:
        slices: (1, H, W, D).
        grid: the volume that was cut.

    Returns:
        a float32 volume on exactly this grid.
    """
    oriented = sitk.DICOMOrient(grid, "LPS")
    array = slices[0].movedim(-1, 0).detach().cpu().numpy().astype(np.float32)
    volume = sitk.GetImageFromArray(array)
    volume.CopyInformation(oriented)
    return _orient_back(volume, grid)


def field_from_slices(ddf: torch.Tensor, grid: sitk.Image) -> sitk.Image:
    """Turn the slices' in-plane fields into one ITK displacement field of the volume.

    Args:
        ddf: (2, H, W, D), voxels, channel 0 = row, channel 1 = column of the slices that
            :func:`to_slices` gives, pull-back.
        grid: the volume that was cut.

    Returns:
        a 3-component float32 field on exactly this grid, millimetres, LPS, pull-back, with no
        displacement across the slices.
    """
    in_plane = ddf.movedim(-1, 1)
    steps = torch.cat([torch.zeros_like(in_plane[:1]), in_plane])
    return _orient_back(to_itk(steps, sitk.DICOMOrient(grid, "LPS")), grid)


def _orient_back(image: sitk.Image, grid: sitk.Image) -> sitk.Image:
    code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(grid.GetDirection())
    image = sitk.DICOMOrient(image, code)
    image.CopyInformation(grid)  # re-orienting forth and back rounds the origin
    return image
