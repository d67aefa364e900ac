"""Read a volume of any supported kind, and say what was odd about it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.dicom import read_series
from bundle.geometry.head import find_head
from bundle.images.headers import header_notes

sitk.ProcessObject.SetGlobalWarningDisplay(False)  # what ITK warns of is refused or noted here

UNITS = {"meter": 1000.0, "micron": 0.001}
"""Millimetres per unit of a NIfTI header, where it is not the millimetre."""

SQUARE = 1e-3
"""Largest cosine between two axes of voxels that are let pass as perpendicular."""

AGREE = 0.1
"""Millimetres by which the corners may differ between a file's qform and sform."""


@dataclass(frozen=True)
class Reading:
    """A volume as read.

    Attributes:
        volume: scalar, 3D, float64.
        notes: what was odd, in words that name no file.
        resampled: whether slices had to be brought to a regular grid first.
    """

    volume: sitk.Image
    notes: tuple[str, ...] = ()
    resampled: bool = False


def reading_of(path: Path | str, frame: int | None = None, series: Sequence[str] = ()) -> Reading:
    """Read a scalar 3D volume.

    Args:
        path: a NIfTI, NRRD or MetaImage file, or a folder with DICOM series.
        frame: which frame of a 4D file, from 0; not needed where there is one.
        series: UIDs out of which one names the series, where a folder holds several.

    Raises:
        InputError: the file is missing, damaged, no scalar 3D volume, a single slice, or holds
            NaN inside the head; its header contradicts itself; or the frame or series is not
            named.
    """
    path = Path(path)
    if path.is_dir():
        volume, oddity = read_series(path, series)
        _require_depth(path, volume)
        if oddity:
            return Reading(volume, (f"{oddity}: resampled to a regular grid",), resampled=True)
        return Reading(volume)
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    try:
        volume = sitk.ReadImage(str(path))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{path}: cannot be read; export it anew ({reason})") from error
    values = _raw_values(path, volume)
    if volume.GetDimension() == 4:
        frame = _frame(path, volume.GetSize()[3], frame)
        volume, values = volume[:, :, :, frame], values[frame]
    elif volume.GetNumberOfComponentsPerPixel() == 1:
        values = values.reshape(volume.GetSize()[::-1])  # ITK drops axes of one at the end
    if "complex" in volume.GetPixelIDTypeAsString():
        raise InputError(f"{path}: holds complex numbers; export its magnitude")
    if volume.GetDimension() != 3 or volume.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(
            f"{path}: is {volume.GetDimension()}D with {volume.GetNumberOfComponentsPerPixel()} "
            "value(s) per voxel; extract one scalar 3D volume first"
        )
    _require_depth(path, volume)
    _require_geometry(path, volume)
    volume = sitk.Cast(volume, sitk.sitkFloat64)
    notes = _geometry_notes(path, volume)
    if not np.isfinite(values).all():
        volume = _without_gaps(path, volume, values)
        notes.append("holds NaN or infinite values outside the head: taken as background")
    return Reading(volume, tuple(notes))


def read_volume(
    path: Path | str, frame: int | None = None, series: Sequence[str] = ()
) -> sitk.Image:
    """The volume of :func:`reading_of`, float64."""
    return reading_of(path, frame, series).volume


def _frame(path: Path, count: int, frame: int | None) -> int:
    if count == 1:  # a frame that is named is then one of the other volume
        return 0
    if frame is None or not 0 <= frame < count:
        raise InputError(
            f"{path}: is 4D with {count} frames; name one of them: --frame 0 to {count - 1} "
            '("frame" in a list)'
        )
    return frame


def _require_depth(path: Path, volume: sitk.Image) -> None:
    if min(volume.GetSize()) < 2:
        raise InputError(
            f"{path}: is a single slice; hand over a volume of several, or two PNG pictures"
        )


def _require_geometry(path: Path, volume: sitk.Image) -> None:
    """Other singular affines ITK refuses itself: it lets NaN pass."""
    geometry = [*volume.GetDirection(), *volume.GetOrigin(), *volume.GetSpacing()]
    if not np.isfinite(geometry).all():
        raise InputError(f"{path}: has an affine that is not finite; correct its header")
    axes = np.reshape(volume.GetDirection(), (3, 3))
    if np.abs(axes.T @ axes - np.eye(3)).max() > SQUARE:
        raise InputError(
            f"{path}: the axes of its voxels are not perpendicular, which NIfTI results cannot "
            "hold; resample it to a straight grid"
        )


def _raw_values(path: Path, volume: sitk.Image) -> np.ndarray:
    """The values in the file: ITK's NIfTI reader silently turns NaN and infinity into 0."""
    if path.name.lower().endswith((".nii", ".nii.gz")):
        try:
            return np.asanyarray(nibabel.load(path).dataobj).T  # type: ignore[attr-defined]
        except nibabel.filebasedimages.ImageFileError as error:
            raise InputError(f"{path}: is not what its suffix says; export it anew") from error
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise InputError(f"{path}: is damaged or cut short; copy or export it anew") from error
    return sitk.GetArrayFromImage(volume)  # a copy: a view would outlive its image


def _without_gaps(path: Path, volume: sitk.Image, values: np.ndarray) -> sitk.Image:
    """Replace what is not finite by the lowest value, unless it lies in the head."""
    finite = np.isfinite(values)
    if not finite.any():
        raise InputError(f"{path}: holds NaN or infinite values only; export it anew")
    filled = sitk.GetImageFromArray(np.where(finite, values, values[finite].min()).astype(float))
    filled.CopyInformation(volume)
    if (sitk.GetArrayFromImage(find_head(filled)).astype(bool) & ~finite).any():
        raise InputError(
            f"{path}: holds NaN or infinite values in the head; replace them by measured ones"
        )
    return filled


def _geometry_notes(path: Path, volume: sitk.Image) -> list[str]:
    """Whether what a file says of its geometry is complete and agrees with what is used."""
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return header_notes(path)
    header: Any = nibabel.load(path).header  # type: ignore[attr-defined]
    coded = {"sform": header.get_sform(coded=True)[0]}
    try:
        coded["qform"] = header.get_qform(coded=True)[0]
    except ValueError as error:  # its quaternion is none
        raise InputError(f"{path}: has an invalid qform; correct its header") from error
    forms = {name: form for name, form in coded.items() if form is not None}
    if not forms:
        return ["says nothing of its orientation: left and right are a guess; set its sform"]
    size = np.array(volume.GetSize())
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * (size - 1)
    unit = UNITS.get(header.get_xyzt_units()[0], 1.0)
    points = {n: (corners @ form[:3, :3].T + form[:3, 3]) * unit for n, form in forms.items()}
    used = [volume.TransformIndexToPhysicalPoint(corner.tolist()) for corner in corners]
    used_ras = np.array(used) * [-1, -1, 1]
    away = {name: np.abs(points[name] - used_ras).max() for name in points}
    name = min(away, key=lambda name: away[name])
    if away[name] > max(volume.GetSpacing()):
        raise InputError(
            f"{path}: its voxel size (pixdim) and its {name} contradict each other by up to "
            f"{away[name]:.0f} mm; correct the header"
        )
    apart = np.ptp(list(points.values()), axis=0).max()
    if apart <= AGREE:
        return []
    return [f"qform and sform disagree by up to {apart:.1f} mm: the {name} is used"]
