"""Write a volume as frames of one file, as nuclear medicine has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset

from bundle.images.dicom_out.slices import describe_grid
from bundle.images.dicom_out.uids import content_of, uid_of
from bundle.images.dicom_write import decimals, save_file

SLICE_VECTOR = 0x00540080
"""The attribute along which the frames count."""

UNKNOWN = (
    "CollimatorType",
    "FocalDistance",
    "XFocusCenter",
    "YFocusCenter",
    "ZoomCenter",
    "ZoomFactor",
    "CenterOfRotationOffset",
    "GantryDetectorTilt",
)
"""What a detector has to have, though a reconstruction has no detector."""


def write_frames(header: Dataset, stored: np.ndarray, grid: sitk.Image, folder: Path) -> None:
    """Write all slices into the one file ``0001.dcm``.

    Args:
        header: class, patient, study, description of the pixels; all that belongs to the frames
            of a reconstruction is added.
        stored: (n, rows, columns), little endian.
        grid: a volume of n slices, mm, LPS, on axes of the right hand.
        folder: to be made.
    """
    describe_grid(header, grid)
    detector = Dataset()
    for keyword in UNKNOWN:
        setattr(detector, keyword, "")
    detector.ImageOrientationPatient = header.pop("ImageOrientationPatient").value
    detector.ImagePositionPatient = decimals(grid.GetOrigin())
    header.DetectorInformationSequence = [detector]
    header.NumberOfDetectors = header.NumberOfEnergyWindows = header.NumberOfRotations = 1
    header.RotationInformationSequence = []
    header.CountsAccumulated = ""
    header.NumberOfFrames = header.NumberOfSlices = len(stored)
    header.FrameIncrementPointer = SLICE_VECTOR
    header.SliceVector = list(range(1, len(stored) + 1))
    header.InstanceNumber = 1
    content = content_of(header)
    header.PixelData = stored.tobytes() + bytes(stored.nbytes % 2)
    header.SeriesInstanceUID = uid_of("series", content, header.PixelData)
    header.SOPInstanceUID = uid_of("frames", header.SeriesInstanceUID)
    folder.mkdir()
    save_file(header, folder / "0001.dcm")
