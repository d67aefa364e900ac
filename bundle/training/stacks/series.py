"""Read one series of a stack, in the orientation of a radiological picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.geometry.slices import to_slices

SUFFIX = ".nii.gz"

MRI = "MR"
"""What the names of MRI series begin with, such as MR-T2_1."""


@dataclass(frozen=True)
class Series:
    """The slices of one file.

    Attributes:
        path: the file.
        pictures: uint8 (D, C, H, W), display values; slices from the neck up, rows front to back,
            columns from the patient's right to the left; C = 1 grey or 3 RGB.
    """

    path: str
    pictures: np.ndarray


@lru_cache(maxsize=24)  # a patient's series, 2 to 24 MB each
def read_series(path: str) -> Series:
    """Read a file; the last few stay in memory.

    Args:
        path: a NIfTI file of 8-bit grey or RGB24 voxels.

    Raises:
        InputError: it cannot be read, or holds neither grey nor RGB in 8 bits.
    """
    try:
        image = sitk.ReadImage(path)
    except RuntimeError as error:
        raise InputError(f"{path}: cannot be read as a volume; copy it anew") from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() not in (1, 3):
        raise InputError(f"{path}: not a 3D volume of grey or RGB values; export it as one")
    channels = [to_slices(channel)[0].numpy() for channel in _channels(image)]
    values = np.stack(channels).transpose(3, 0, 1, 2)
    if values.min() < 0 or values.max() > 255:
        raise InputError(f"{path}: holds values outside 0 to 255; window it to 8 bits first")
    return Series(path, values.round().astype(np.uint8))


def _channels(image: sitk.Image) -> list[sitk.Image]:
    count = image.GetNumberOfComponentsPerPixel()
    if count == 1:
        return [image]
    return [sitk.VectorIndexSelectionCast(image, index) for index in range(count)]


def stem(path: Path | str) -> str:
    """Name of a series, such as SPECT-Tc_1."""
    return Path(path).name.removesuffix(SUFFIX)


def modality_of(path: Path | str) -> str:
    """MR, CT, PET or SPECT, as its name says; another word where it says something else."""
    return stem(path).split("_")[0].split("-")[0]
