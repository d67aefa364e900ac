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
from bundle.geometry.grid import on_one_grid
from bundle.geometry.head import find_head
from bundle.images.analyze import SUFFIXES as ANALYZE
from bundle.images.analyze import read_analyze
from bundle.images.dicom import Series, count_of, read_folder, volume_of, with_pixels
from bundle.images.dicom_choice import choose_series
from bundle.images.frames import MEAN, Choice, Frame, Frames
from bundle.images.grid import on_grid, require_plausible, size_remarks, straightened
from bundle.images.kinds import is_dicom, require_file
from bundle.images.memory import from_metatensor, from_nibabel
from bundle.images.metaimage import SUFFIXES as METAIMAGE
from bundle.images.metaimage import read_metaimage
from bundle.images.mgh import SUFFIXES as MGH
from bundle.images.mgh import read_mgh
from bundle.images.nifti import SUFFIXES as NIFTI
from bundle.images.nifti import read_nifti, time_of
from bundle.images.nrrd import read_nrrd
from bundle.images.volume import Volume

sitk.ProcessObject.SetGlobalWarningDisplay(False)  # what ITK warns of is refused or noted here

HUGE = 1e30
"""Values of this size stand for none: -3.4e38 and the like fill what was not measured."""

SAME = 1e-2
"""Millimetres by which the corners of two volumes of one grid differ at most."""

READERS = (
    (NIFTI, read_nifti),
    (METAIMAGE, read_metaimage),
    ((".nrrd", ".nhdr"), read_nrrd),
    (MGH, read_mgh),
    (ANALYZE, read_analyze),
)
"""Who reads which suffixes: values (X, Y, Z), affine to mm in LPS, remarks."""


def read_volume(
    path: Path | str,
    frame: Frame | None = None,
    series: Sequence[str] = (),
    found: Mapping[str, Series] | None = None,
    spacing: Sequence[float] | None = None,
    wanted: Sequence[str] = (),
) -> Volume:
    """Read a scalar 3D volume.

    Args:
        path: a NIfTI, NRRD or MetaImage file, or what holds DICOM series: a folder with its
            folders, a DICOMDIR, a ZIP file or a file of a series.
        frame: which frame of a 4D file or volume of a series, from 0, or ``mean``; not needed
            where there is one.
        series: UIDs, or numbers in the list of series, out of which one names the series, where
            there are several.
        found: the series of the path, if they were read already.
        spacing: mm along the volume's three axes; counts where a header says no voxel size.
        wanted: modalities of which a series is taken where there are several.

    Raises:
        InputError: the file is missing, damaged, no scalar 3D volume, a single slice, holds NaN
            inside the head or is far from a head's size; its header contradicts itself or lacks
            what is not stated; or the frame or series is not named.
    """
    path, name = Path(path), str(path)
    require_file(path)
    if is_dicom(path):
        found = read_folder(path) if found is None else found
        chosen, remarks = choose_series(path, found, series, wanted)
        volume = _of_series(with_pixels(chosen), frame, spacing)
        return checked(replace(volume, remarks=(*remarks, *volume.remarks)))
    readers = (read for suffixes, read in READERS if path.name.lower().endswith(suffixes))
    read = next(readers, None)
    if read is None:
        raise InputError(f"{path}: is no volume by its name; give one such as a NIfTI file")
    choice = Choice(name, frame)
    values, affine, remarks = read(path, choice, spacing)
    frames = None
    if choice.count > 1:
        time = time_of(path) if read is read_nifti else (1.0, "unknown")
        frames = Frames(path, name, choice.count, (), _tuple(spacing), *time)
    image = on_grid(values, affine, name)
    return checked(Volume(name, image, remarks=tuple(remarks), frames=frames))


def _tuple(spacing: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if spacing is None else tuple(spacing)


def _of_series(series: Series, frame: Frame | None, spacing: Sequence[float] | None) -> Volume:
    """A volume of a DICOM series, or the mean of all."""
    count = 1 if frame is None else count_of(series, spacing)
    if count == 1:
        return volume_of(series, None, spacing)
    name = str(series.folder)
    frames = Frames(series.folder, name, count, (series.uid,), _tuple(spacing))
    if frame != MEAN:
        return replace(volume_of(series, frame, spacing), frames=frames)
    first = volume_of(series, 0, spacing)
    total = first.image
    for number in range(1, count):
        image = volume_of(series, number, spacing).image
        if not on_one_grid(image, total, SAME):
            raise InputError(
                f"{name}: its volumes are of several sizes or places; name one with --frame"
            )
        image.CopyInformation(total)  # ITK adds no grids that differ by the rounding of headers
        total = total + image
    return replace(first, image=total / count, frames=frames)


IN_MEMORY = (sitk.Image, MetaTensor, nibabel.spatialimages.SpatialImage)
"""What :func:`volume_from` takes."""


def volume_from(image: Any, name: str, frame: Frame | None = None) -> Volume:
    """Take a volume that is in memory.

    Args:
        image: a ``SimpleITK.Image``, a nibabel image or a ``MetaTensor`` (1, X, Y, Z).
        name: of the image, for messages.
        frame: see :func:`read_volume`.

    Raises:
        InputError: as for :func:`read_volume`, or it is of another kind.
    """
    choice = Choice(name, frame)
    remarks: list[Remark] = []
    time = 1.0, "unknown"
    if isinstance(image, sitk.Image):
        if "label of" in image.GetPixelIDTypeAsString():
            raise InputError(f"{name}: is a label map; cast it to numbers first")
        taken = _scalar(name, image, choice)
        time = (image.GetSpacing()[3], "sec") if choice.count > 1 else time
    elif isinstance(image, MetaTensor):
        taken = from_metatensor(image, name)
    elif isinstance(image, nibabel.spatialimages.SpatialImage):
        taken, remarks = from_nibabel(image, name, choice)
    else:
        raise unknown_kind(image, name)
    frames = Frames(image, name, choice.count, (), None, *time) if choice.count > 1 else None
    return checked(Volume(name, taken, remarks=tuple(remarks), frames=frames))


def unknown_kind(image: Any, name: str) -> InputError:
    """What is said of an object that is no image."""
    return InputError(
        f"{name}: is a {type(image).__name__}; give a path, a SimpleITK or nibabel image, a "
        "MetaTensor, or a picture as an array (H, W) or (H, W, 3)"
    )


def _scalar(name: str, image: sitk.Image, choice: Choice) -> sitk.Image:
    """One scalar 3D volume out of an image of any kind, float32."""
    while image.GetDimension() > 4 and image.GetSize()[-1] == 1:
        image = image[(*[slice(None)] * (image.GetDimension() - 1), 0)]
    if "complex" in image.GetPixelIDTypeAsString():
        raise InputError(f"{name}: holds complex numbers; export its magnitude")
    if image.GetDimension() == 4 and image.GetNumberOfComponentsPerPixel() == 1:
        image = _one_of(image, choice(image.GetSize()[3]))
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(
            f"{name}: is {image.GetDimension()}D with {image.GetNumberOfComponentsPerPixel()} "
            "value(s) per voxel; extract one scalar 3D volume first"
        )
    return sitk.Cast(image, sitk.sitkFloat32)


def _one_of(image: sitk.Image, frame: Frame) -> sitk.Image:
    """A frame of a 4D image, or the mean of all."""
    if frame != MEAN:
        return image[:, :, :, frame]
    count = image.GetSize()[3]
    total = sitk.Cast(image[:, :, :, 0], sitk.sitkFloat64)
    for number in range(1, count):
        total += sitk.Cast(image[:, :, :, number], sitk.sitkFloat64)
    return total / count


def checked(volume: Volume) -> Volume:
    """The volume on straight axes, of finite values, with what else is odd about it."""
    name, image = volume.name, volume.image
    if min(image.GetSize()) < 2:
        raise InputError(
            f"{name}: is a single slice; give a volume of several, or two PNG pictures"
        )
    image, skewed = straightened(name, image)
    require_plausible(name, image.GetSize(), image.GetSpacing())
    image, filled = _without_gaps(name, image)
    found = (*volume.remarks, *skewed, *size_remarks(image), *filled)
    return replace(volume, image=image, remarks=found)


def _without_gaps(name: str, image: sitk.Image) -> tuple[sitk.Image, list[Remark]]:
    """Replace what is no number by the lowest one, unless it lies in the head."""
    values = sitk.GetArrayViewFromImage(image)
    if values.min() > -HUGE and values.max() < HUGE:  # with NaN among them neither is so
        return image, []
    measured = np.abs(values) < HUGE
    if not measured.any():
        raise InputError(f"{name}: holds NaN or infinite values only; export it anew")
    filled = sitk.GetImageFromArray(np.where(measured, values, values[measured].min()))
    filled.CopyInformation(image)
    if (sitk.GetArrayFromImage(find_head(filled)).astype(bool) & ~measured).any():
        raise InputError(
            f"{name}: holds NaN or infinite values in the head; replace them by measured ones"
        )
    text = "holds NaN or infinite values outside the head: taken as background"
    return filled, [Remark("gaps_filled", text, warning=False)]
