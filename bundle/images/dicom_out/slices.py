"""Write a volume as a series of slices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from bundle.images.dicom_out.uids import content_of, uid_of
from bundle.images.dicom_write import decimals, save_file

ENDS = ("RL", "AP", "FH")
"""Letters of the negative and the positive end of each axis."""

SLANT = 0.1
"""Cosine up to which a direction has no part along an axis."""


def as_slices(volume: sitk.Image) -> sitk.Image:
    """A volume on axes that a series can have: those of a left hand are turned to LPS."""
    left = np.linalg.det(np.reshape(volume.GetDirection(), (3, 3))) < 0
    return sitk.DICOMOrient(volume, "LPS") if left else volume


def write_slices(
    header: Dataset, stored: np.ndarray, grid: sitk.Image, own: Sequence[Dataset], folder: Path
) -> None:
    """Write slices as files ``0001.dcm`` and so on.

    The UIDs of series and slices follow from all that the files hold.

    Args:
        header: what all slices say; class, patient, study, description of the pixels.
        stored: (n, rows, columns) or (n, rows, columns, 3), little endian.
        grid: a volume of n slices, mm, LPS, on axes of the right hand.
        own: what each slice says for itself.
        folder: to be made.
    """
    describe_grid(header, grid)
    parts = [content_of(one) for one in (header, *own)]
    uid = uid_of("series", *parts, np.ascontiguousarray(stored).tobytes())
    header.SeriesInstanceUID = uid
    folder.mkdir()
    for k, pixels in enumerate(stored):
        slice_ = Dataset()
        slice_.update(header)
        slice_.update(own[k])
        place = grid.TransformIndexToPhysicalPoint((0, 0, k))
        slice_.SOPInstanceUID = uid_of("slice", uid, str(k))
        slice_.InstanceNumber = k + 1
        slice_.ImagePositionPatient = decimals(place)
        slice_.PixelData = pixels.tobytes() + bytes(pixels.nbytes % 2)  # of even length
        save_file(slice_, folder / f"{k + 1:04d}.dcm")


def describe_grid(header: Dataset, grid: sitk.Image) -> None:
    """Say where the slices lie, except each one's position."""
    width, height, thickness = decimals(grid.GetSpacing())
    header.SliceThickness = header.SpacingBetweenSlices = thickness
    header.PixelSpacing = [height, width]
    header.ImageOrientationPatient = decimals(_axes(grid)[:2].ravel())
    header.Columns, header.Rows = grid.GetSize()[:2]
    if header.SOPClassUID == SecondaryCaptureImageStorage:  # whose class has no directions
        header.PatientOrientation = [letters(row) for row in _axes(grid)[:2]]


def letters(direction: np.ndarray) -> str:
    """A direction in letters, the largest part first: L, P and H for +x, +y and +z.

    Args:
        direction: (3,), LPS, of length 1.
    """
    order = [axis for axis in np.argsort(-np.abs(direction)) if abs(direction[axis]) > SLANT]
    return "".join(ENDS[axis][int(direction[axis] > 0)] for axis in order)


def _axes(grid: sitk.Image) -> np.ndarray:
    """Directions of a row, of a column and of their normal, a row of (3, 3) each."""
    return np.reshape(grid.GetDirection(), (3, 3)).T


def describe_grey(header: Dataset, bits: int = 16, signed: bool = False) -> None:
    """Say how the pixels of grey slices are stored, in two bytes each."""
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, bits, bits - 1
    header.PixelRepresentation = int(signed)
