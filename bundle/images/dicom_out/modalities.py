"""What the headers of a registered series of each modality say beside its pixels."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.uid import (
    CTImageStorage,
    MRImageStorage,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
)

from bundle.images.dicom_out.study import Study, content_time, copy

CT = ("KVP", "AcquisitionNumber", "ConvolutionKernel", "FilterType", "ExposureTime")
MR = (
    "ScanningSequence",
    "SequenceVariant",
    "ScanOptions",
    "MRAcquisitionType",
    "RepetitionTime",
    "EchoTime",
    "EchoTrainLength",
    "InversionTime",
    "FlipAngle",
    "MagneticFieldStrength",
)
PET = (
    "PatientWeight",
    "PatientSize",
    "SeriesDate",
    "SeriesTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "Units",
    "SUVType",
    "CountsSource",
    "SeriesType",
    "CorrectedImage",
    "DecayCorrection",
    "DecayFactor",
    "CollimatorType",
    "AttenuationCorrectionMethod",
    "ScatterCorrectionMethod",
    "RandomsCorrectionMethod",
    "ReconstructionMethod",
    "FrameReferenceTime",
    "ActualFrameDuration",
    "DoseCalibrationFactor",
    "ScatterFractionFactor",
    "DeadTimeFactor",
)
"""Also all that a standardised uptake value is computed from."""

NUCLEAR = (
    "RadiopharmaceuticalInformationSequence",
    "PatientOrientationCodeSequence",
    "PatientGantryRelationshipCodeSequence",
    "EnergyWindowInformationSequence",
)

REMARKS = ("ContrastBolusAgent", "BodyPartExamined", "ProtocolName")
"""Copied of every modality."""

PRIVATE = 0x7053
"""The group in which Philips keeps the factors of standardised uptake values."""


def registered_header(study: Study, modality: str | None) -> Dataset:
    """What all slices of the registered moving volume say but for their pixels.

    Args:
        study: to which they belong.
        modality: CT, PET, SPECT, MR or anything else, which becomes a secondary capture.
    """
    source = study.moving.header
    header = Dataset()
    header.update(study.attributes)
    header.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    header.BodyPartExamined = "HEAD"
    for keyword in REMARKS:
        copy(source, header, keyword)
    {"CT": _ct, "PET": _pet, "SPECT": _spect, "MR": _mr}.get(str(modality), _other)(
        header, source, study
    )
    return header


def _ct(header: Dataset, source: Dataset | None, study: Study) -> None:
    header.SOPClassUID, header.Modality = CTImageStorage, "CT"
    header.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    header.KVP = header.AcquisitionNumber = ""
    for keyword in CT:
        copy(source, header, keyword)


def _mr(header: Dataset, source: Dataset | None, study: Study) -> None:
    header.SOPClassUID, header.Modality = MRImageStorage, "MR"
    header.ScanningSequence, header.SequenceVariant = "RM", "NONE"  # research mode
    empty_mr(header)
    for keyword in MR:
        copy(source, header, keyword)


def empty_mr(header: Dataset) -> None:
    """What an MR image has to have, unknown."""
    header.ScanOptions = header.MRAcquisitionType = header.EchoTrainLength = ""
    header.RepetitionTime = header.EchoTime = ""


def _pet(header: Dataset, source: Dataset | None, study: Study) -> None:
    header.SOPClassUID, header.Modality = PositronEmissionTomographyImageStorage, "PT"
    header.ImageType = ["DERIVED", "PRIMARY"]
    date, time = content_time(study)
    header.SeriesDate, header.SeriesTime = date, time
    header.AcquisitionDate = header.AcquisitionTime = ""
    header.Units, header.CountsSource, header.DecayCorrection = "NONE", "EMISSION", "NONE"
    header.SeriesType = ["STATIC", "IMAGE"]
    header.CorrectedImage = header.CollimatorType = header.ActualFrameDuration = ""
    header.FrameReferenceTime = "0"
    for keyword in NUCLEAR[:3]:
        setattr(header, keyword, [])
    for keyword in PET[:2]:  # another scan's are no measurements of this one
        header.pop(keyword, None)
    for keyword in (*PET, *NUCLEAR):
        copy(source, header, keyword)
    del header.PatientPosition  # the orientation's codes stand in its place
    for element in source.group_dataset(PRIVATE) if source is not None else ():
        header.add(element)


def _spect(header: Dataset, source: Dataset | None, study: Study) -> None:
    header.SOPClassUID, header.Modality = NuclearMedicineImageStorage, "NM"
    header.ImageType = ["DERIVED", "PRIMARY", "RECON TOMO", "EMISSION"]
    for keyword in NUCLEAR:
        setattr(header, keyword, [])
        copy(source, header, keyword)
    del header.PatientPosition


def _other(header: Dataset, source: Dataset | None, study: Study) -> None:
    header.SOPClassUID, header.Modality = SecondaryCaptureImageStorage, "OT"
    header.ConversionType = "WSD"
