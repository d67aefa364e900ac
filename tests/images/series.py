"""A volume written as a DICOM series, and a way to change what its files say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage

from bundle.images.dicom_write import save_file


def dicom_of(
    folder: Path, values: np.ndarray, affine: np.ndarray, modality: str, **tags: Any
) -> Path:
    """Write (X, Y, Z) int16 values, affine RAS, as axial slices with further attributes."""
    folder.mkdir(parents=True)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    axes = lps[:3, :3] / spacing
    for k in range(values.shape[2]):
        file = Dataset()
        file.SOPClassUID = CTImageStorage if modality == "CT" else MRImageStorage
        file.SOPInstanceUID = f"1.2.3.{k + 1}"
        file.SeriesInstanceUID, file.StudyInstanceUID = f"1.2.{len(folder.name)}", "1.2"
        file.Modality, file.InstanceNumber = modality, k + 1
        file.Rows, file.Columns = values.shape[1], values.shape[0]
        file.PixelSpacing = [round(float(spacing[1]), 6), round(float(spacing[0]), 6)]
        file.ImageOrientationPatient = np.round(axes[:, :2].T.ravel(), 9).tolist()
        place = lps @ [0, 0, k, 1]
        file.ImagePositionPatient = np.round(place[:3], 6).tolist()
        file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
        file.BitsAllocated, file.BitsStored, file.HighBit = 16, 16, 15
        file.PixelRepresentation = 1
        file.RescaleSlope, file.RescaleIntercept = 1, 0
        file.PixelData = np.ascontiguousarray(values[:, :, k].T, dtype="<i2").tobytes()
        for keyword, value in tags.items():
            setattr(file, keyword, value)
        save_file(file, folder / f"{k + 1:03d}.dcm")
    return folder


def rewrite(folder: Path, change: Callable[[Dataset, int], Any]) -> Path:
    """Change every file of a folder in place."""
    for number, path in enumerate(sorted(folder.iterdir())):
        file = pydicom.dcmread(path)
        change(file, number)
        file.save_as(path)
    return folder
