"""Read the frames of a 4D image one by one: no more than one is in memory."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from pathlib import Path

import SimpleITK as sitk

from bundle.images.dicom import read_folder
from bundle.images.frames import Frames
from bundle.images.grid import on_grid
from bundle.images.kinds import is_dicom
from bundle.images.nifti import SUFFIXES as NIFTI
from bundle.images.nifti import each_nifti_frame
from bundle.images.volume import Volume
from bundle.images.volumes import checked, read_volume, volume_from


def each_frame(frames: Frames) -> Iterator[sitk.Image]:
    """The frames in their order, each as :func:`bundle.images.volumes.read_volume` gives it.

    A NIfTI file is read, and decompressed, once.

    Args:
        frames: of the 4D image.

    Yields:
        scalar, 3D, float32, on one grid.

    Raises:
        InputError: a frame cannot be used.
    """
    name, source = frames.name, frames.source
    if not isinstance(source, (str, PathLike)):
        for number in range(frames.count):
            yield volume_from(source, name, number).image
        return
    path = Path(source)
    if path.name.lower().endswith(NIFTI):
        for values, affine in each_nifti_frame(path, frames.spacing):
            yield checked(Volume(name, on_grid(values, affine, name))).image
        return
    found = read_folder(path) if is_dicom(path) else None
    for number in range(frames.count):
        yield read_volume(path, number, frames.series, found, frames.spacing).image
