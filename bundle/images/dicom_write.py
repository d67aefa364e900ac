"""Write a fused volume as a DICOM series."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom import DataElement, Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.uid import (
    ExplicitVRLittleEndian,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    generate_uid,
)
from pydicom.valuerep import format_number_as_ds

HIGHEST = 4095
"""The stored value of 1.0."""

COPIED = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyDescription",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientPosition",
    "StudyInstanceUID",
    "StudyID",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
)
"""Attributes of patient, study and frame of reference."""

REQUIRED = (*COPIED[:4], *COPIED[5:9], "StudyID", "PositionReferenceIndicator")
"""Those that have to be there, empty if nothing is known."""

STRICT = (
    {"write_like_original": False}
    if pydicom.__version__.startswith("2.")
    else {"enforce_file_format": True}
)
"""How to ask pydicom for a complete file: MONAI Label needs the older version."""


def write_series(fused: sitk.Image, folder: Path, template: Dataset | None = None) -> Dataset:
    """Write a fused volume as a derived series of its own: MR, in colours secondary captures.

    Args:
        fused: scalar volume, 0 to 1, or RGB, a vector of 3 uint8; LPS, mm.
        folder: to be made; one file per slice.
        template: a slice of the fixed series: patient, study and frame of reference are copied
            from it. Without one they are new and name nobody.

    Returns:
        patient, study and frame of reference, a template for a further series.
    """
    color = fused.GetNumberOfComponentsPerPixel() == 3
    if np.linalg.det(np.reshape(fused.GetDirection(), (3, 3))) < 0:
        fused = sitk.DICOMOrient(fused, "LPS")  # DICOM slices follow the right hand
    stored = sitk.GetArrayFromImage(fused)
    if not color:
        stored = np.rint(np.clip(stored, 0, 1) * HIGHEST).astype("<u2")
    study = _study(template)
    series = _series(fused)
    (_describe_colors if color else _describe_pixels)(series)
    series.update(study)
    folder.mkdir()
    for k, pixels in enumerate(stored):
        place = fused.TransformIndexToPhysicalPoint((0, 0, k))
        series.SOPInstanceUID = generate_uid(prefix=None)
        series.InstanceNumber = k + 1
        series.ImagePositionPatient = _decimals(place)
        series.PixelData = pixels.tobytes() + bytes(pixels.nbytes % 2)  # of even length
        save_file(series, folder / f"{k + 1:04d}.dcm")
    return study


def save_file(dataset: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> None:
    """Write a data set as a DICOM file.

    Args:
        dataset: with the UIDs of its class and its instance.
        path: the file.
        syntax: UID of a transfer syntax, the one in which the pixels are; little endian and with
            explicit value representations, which all of compressed pixels are.
    """
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    file = FileDataset(
        str(path), dataset, file_meta=meta, is_implicit_VR=False, is_little_endian=True
    )
    file.save_as(str(path), **STRICT)


def _study(template: Dataset | None) -> Dataset:
    """Patient, study and frame of reference: of the template, or new and nobody's."""
    study = Dataset()
    study.SpecificCharacterSet = "ISO_IR 192"  # UTF-8; pydicom has read the template's own
    for keyword in REQUIRED:
        setattr(study, keyword, "")  # StudyDate too: today would be wrong
    study.StudyInstanceUID = generate_uid(prefix=None)
    study.FrameOfReferenceUID = generate_uid(prefix=None)
    for keyword in COPIED:
        element = None if template is None or keyword not in template else template[keyword]
        if element is not None and element.value:
            values = element.value if isinstance(element.value, MultiValue) else [element.value]
            text = "\\".join(str(value) for value in values)
            study[keyword] = DataElement(  # valid or not, it is what the fixed series says
                element.tag, element.VR, text, validation_mode=pydicom.config.IGNORE
            )
    return study


def _series(volume: sitk.Image) -> Dataset:
    """What all slices say of the series and of their pixels."""
    now = datetime.now(timezone.utc)
    series = Dataset()
    series.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    series.SeriesDate, series.SeriesTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    series.Manufacturer = "BiMSRec"
    series.SeriesInstanceUID = generate_uid(prefix=None)
    _describe_grid(series, volume)
    return series


def _describe_grid(series: Dataset, volume: sitk.Image) -> None:
    width, height, thickness = _decimals(volume.GetSpacing())
    series.SliceThickness = series.SpacingBetweenSlices = thickness
    series.PixelSpacing = [height, width]
    series.ImageOrientationPatient = _decimals(
        np.reshape(volume.GetDirection(), (3, 3))[:, :2].T.ravel()
    )
    series.Columns, series.Rows = volume.GetSize()[:2]


def _describe_pixels(series: Dataset) -> None:
    series.SOPClassUID, series.Modality, series.SeriesNumber = MRImageStorage, "MR", 9001
    series.SeriesDescription = "fused, research use only"
    series.DerivationDescription = (
        f"fixed and registered moving image fused by BiMSRec; {HIGHEST} stands for 1"
    )
    series.ScanningSequence, series.SequenceVariant = "RM", "NONE"  # research mode
    series.SamplesPerPixel = 1
    series.PhotometricInterpretation = "MONOCHROME2"
    series.BitsAllocated, series.BitsStored, series.HighBit = 16, 12, 11
    series.PixelRepresentation = 0
    series.WindowCenter, series.WindowWidth = str(HIGHEST // 2), str(HIGHEST)
    series.RescaleIntercept, series.RescaleSlope, series.RescaleType = "0", "1", "US"


def _describe_colors(series: Dataset) -> None:
    """MR images cannot be RGB."""
    series.SOPClassUID, series.Modality = SecondaryCaptureImageStorage, "OT"
    series.SeriesNumber, series.ConversionType = 9002, "WSD"
    series.SeriesDescription = "fused in colours, research use only"
    series.DerivationDescription = (
        "fixed and registered moving image fused by BiMSRec, with the moving image's colour map"
    )
    series.SamplesPerPixel, series.PlanarConfiguration = 3, 0
    series.PhotometricInterpretation = "RGB"
    series.BitsAllocated, series.BitsStored, series.HighBit = 8, 8, 7
    series.PixelRepresentation = 0


def _decimals(values: tuple[float, ...] | np.ndarray) -> list[str]:
    """DICOM's decimal strings, 16 characters at most."""
    return [format_number_as_ds(float(value)) for value in values]
