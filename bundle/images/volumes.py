"""Read a volume of any supported kind, and say what was odd about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk
from monai.data import MetaTensor

from bundle.errors import InputError, Remark
from bundle.geometry.head import find_head
from bundle.images.dicom import Series, choose_series, read_folder, volume_of
from bundle.images.headers import header_remarks
from bundle.images.memory import from_metatensor, from_nibabel
from bundle.images.nifti import SUFFIXES as NIFTI
from bundle.images.nifti import geometry_remarks, read_nifti
from bundle.images.volume import Volume

sitk.ProcessObject.SetGlobalWarningDisplay(False)  # what ITK warns of is refused or noted here

SQUARE = 1e-3
"""Largest cosine between two axes of voxels that are let pass as perpendicular."""


def read_volume(
    path: Path | str,
    frame: int | None = None,
    series: Sequence[str] = (),
    found: Mapping[str, Series] | None = None,
) -> Volume:
    """Read a scalar 3D volume.

    Args:
        path: a NIfTI, NRRD or MetaImage file, or a folder with DICOM series.
        frame: which frame of a 4D file, from 0; not needed where there is one.
        series: UIDs out of which one names the series, where a folder holds several.
        found: the folder's series, if it was read already.

    Raises:
        InputError: the file is missing, damaged, no scalar 3D volume, a single slice, or holds
            NaN inside the head; its header contradicts itself; or the frame or series is not
            named.
    """
    path = Path(path)
    if path.is_dir():
        found = read_folder(path) if found is None else found
        volume = volume_of(choose_series(path, found, series))
        _require_depth(volume.name, volume.image)
        return volume
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{path}: cannot be read; export it anew ({reason})") from error
    if path.name.lower().endswith(NIFTI):
        header, values = read_nifti(path)
        volume = _checked(str(path), image, values, frame)
        return _with(volume, geometry_remarks(str(path), header, volume.image))
    # a copy: a view would outlive its image
    volume = _checked(str(path), image, sitk.GetArrayFromImage(image), frame)
    return _with(volume, header_remarks(path))


def volume_from(image: Any, name: str, frame: int | None = None) -> Volume:
    """Take a volume that is in memory.

    Args:
        image: a ``SimpleITK.Image``, a nibabel image or a ``MetaTensor`` (1, X, Y, Z).
        name: of the image, for messages.
        frame: see :func:`read_volume`.

    Raises:
        InputError: as for :func:`read_volume`, or it is of another kind.
    """
    if isinstance(image, sitk.Image):
        if "label of" in image.GetPixelIDTypeAsString():
            raise InputError(f"{name}: is a label map; cast it to numbers first")
        return _checked(name, image, sitk.GetArrayFromImage(image), frame)
    if isinstance(image, MetaTensor):
        taken = from_metatensor(image, name)
        return _checked(name, taken, sitk.GetArrayFromImage(taken), frame)
    if isinstance(image, nibabel.spatialimages.SpatialImage):
        taken = from_nibabel(image, name)
        volume = _checked(name, taken, sitk.GetArrayFromImage(taken), frame)
        if not isinstance(image, nibabel.nifti1.Nifti1Pair):
            return volume
        return _with(volume, geometry_remarks(name, image.header, volume.image))
    raise InputError(
        f"{name}: is a {type(image).__name__}; give a path, a SimpleITK or nibabel image, a "
        "MetaTensor, or a picture as an array (H, W) or (H, W, 3)"
    )


def _checked(name: str, image: sitk.Image, values: np.ndarray, frame: int | None) -> Volume:
    """One scalar 3D volume of finite values out of an image.

    Args:
        name: of the image.
        image: as SimpleITK holds it.
        values: the same as they stand in the file, slices first.
        frame: which one of a 4D image.
    """
    if image.GetDimension() == 4:
        frame = _frame(name, image.GetSize()[3], frame)
        image, values = image[:, :, :, frame], values[frame]
    elif image.GetNumberOfComponentsPerPixel() == 1:
        values = values.reshape(image.GetSize()[::-1])  # ITK drops axes of one at the end
    if "complex" in image.GetPixelIDTypeAsString():
        raise InputError(f"{name}: holds complex numbers; export its magnitude")
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(
            f"{name}: is {image.GetDimension()}D with {image.GetNumberOfComponentsPerPixel()} "
            "value(s) per voxel; extract one scalar 3D volume first"
        )
    _require_depth(name, image)
    _require_geometry(name, image)
    image = sitk.Cast(image, sitk.sitkFloat64)
    if np.isfinite(values).all():
        return Volume(name, image)
    text = "holds NaN or infinite values outside the head: taken as background"
    remark = Remark("gaps_filled", text, warning=False)
    return Volume(name, _without_gaps(name, image, values), remarks=(remark,))


def _with(volume: Volume, remarks: Sequence[Remark]) -> Volume:
    return replace(volume, remarks=(*remarks, *volume.remarks))


def _frame(name: str, count: int, frame: int | None) -> int:
    if count == 1:  # a frame that is named is then one of the other volume
        return 0
    if frame is None or not 0 <= frame < count:
        raise InputError(
            f"{name}: is 4D with {count} frames; name one of them: --frame 0 to {count - 1} "
            '("frame" in a list)'
        )
    return frame


def _require_depth(name: str, image: sitk.Image) -> None:
    if min(image.GetSize()) < 2:
        raise InputError(
            f"{name}: is a single slice; give a volume of several, or two PNG pictures"
        )


def _require_geometry(name: str, image: sitk.Image) -> None:
    """Other singular affines ITK refuses itself: it lets NaN pass."""
    geometry = [*image.GetDirection(), *image.GetOrigin(), *image.GetSpacing()]
    if not np.isfinite(geometry).all():
        raise InputError(f"{name}: has an affine that is not finite; correct its header")
    axes = np.reshape(image.GetDirection(), (3, 3))
    if np.abs(axes.T @ axes - np.eye(3)).max() > SQUARE:
        raise InputError(
            f"{name}: the axes of its voxels are not perpendicular, which NIfTI results cannot "
            "hold; resample it to a straight grid"
        )


def _without_gaps(name: str, image: sitk.Image, values: np.ndarray) -> sitk.Image:
    """Replace what is not finite by the lowest value, unless it lies in the head."""
    finite = np.isfinite(values)
    if not finite.any():
        raise InputError(f"{name}: holds NaN or infinite values only; export it anew")
    filled = sitk.GetImageFromArray(np.where(finite, values, values[finite].min()).astype(float))
    filled.CopyInformation(image)
    if (sitk.GetArrayFromImage(find_head(filled)).astype(bool) & ~finite).any():
        raise InputError(
            f"{name}: holds NaN or infinite values in the head; replace them by measured ones"
        )
    return filled
