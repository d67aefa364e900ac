"""NIfTI volumes that ITK's writer cannot make: RGB24, and 8 bits with a scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk

RGB24 = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
"""NIfTI's datatype 128. ITK writes a vector of three instead, which few viewers show in colours."""


FIRST = 352
"""Bytes before the values of a file without extensions."""


def affine_of(image: sitk.Image) -> np.ndarray:
    """(4, 4): from voxel index x, y, z to millimetres, RAS."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def nifti_of(
    values: np.ndarray, affine: np.ndarray, scale: tuple[float, float] = (1.0, 0.0)
) -> Any:
    """A NIfTI image in memory.

    Args:
        values: uint8, slices first: (Z, Y, X), or (Z, Y, X, 3) RGB.
        affine: (4, 4), from x, y, z to millimetres, RAS.
        scale: slope and intercept of what the values stand for.

    Returns:
        a ``nibabel.Nifti1Image``.
    """
    if values.ndim == 4:
        values = np.ascontiguousarray(values).view(RGB24)[..., 0]
    image = nibabel.Nifti1Image(values.T, affine, dtype=values.dtype)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm")
    if values.dtype != RGB24:
        image.header.set_slope_inter(*scale)
    return image


def nifti_header(
    shape: tuple[int, ...], kind: Any, affine: np.ndarray, scale: tuple[float, float]
) -> bytes:
    """What stands in a NIfTI file before its values, of a volume that is not in memory.

    Args:
        shape: slices first: (Z, Y, X).
        kind: type of the stored values.
        affine: as of :func:`nifti_of`.
        scale: likewise.
    """
    header = nifti_of(np.broadcast_to(np.zeros((), kind), shape), affine, scale).header
    header["vox_offset"] = FIRST
    return header.binaryblock.ljust(FIRST, b"\0")


def write_rgb(volume: sitk.Image, path: Path) -> None:
    """Write colours as NIfTI's RGB24.

    Args:
        volume: a vector of 3 uint8, RGB.
        path: the ``.nii`` or ``.nii.gz`` file.
    """
    values = sitk.GetArrayViewFromImage(volume)
    nibabel.save(nifti_of(values, affine_of(volume)), path)  # type: ignore[attr-defined]
