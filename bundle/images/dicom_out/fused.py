"""Write the fused volume as a series of grey MR images or of coloured secondary captures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset
from pydicom.uid import MRImageStorage, SecondaryCaptureImageStorage

from bundle.images.dicom_out.modalities import empty_mr
from bundle.images.dicom_out.references import SOURCE, contributing, images
from bundle.images.dicom_out.registered import same_slice
from bundle.images.dicom_out.slices import as_slices, describe_grey, write_slices
from bundle.images.dicom_out.study import Study

HIGHEST = 4095
"""The stored value of 1.0."""


def write_fused(fused: sitk.Image, field: sitk.Image, folder: Path, study: Study) -> None:
    """Write a fused volume as a derived series of its own: MR, in colours secondary captures.

    Args:
        fused: scalar volume, 0 to 1, or RGB, a vector of 3 uint8, on the fixed grid.
        field: displacements on the fixed grid, mm, LPS, pull-back: which slices it is made from.
        folder: to be made; one file per slice.
        study: to which the series belongs.
    """
    color = fused.GetNumberOfComponentsPerPixel() == 3
    fused, field = as_slices(fused), as_slices(field)
    stored = sitk.GetArrayFromImage(fused)
    if not color:
        stored = np.rint(np.clip(stored, 0, 1) * HIGHEST).astype("<u2")
    header = Dataset()
    header.update(study.attributes)
    header.FrameOfReferenceUID = study.frames[0]
    header.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    header.BodyPartExamined = "HEAD"
    (_describe_colors if color else _describe_grey)(header)
    write_slices(header, stored, fused, _own(study, field), folder)


def _own(study: Study, field: sitk.Image) -> list[Dataset]:
    """The images of both series that each slice is made from."""
    own = []
    depth = field.GetSize()[2]
    for k, moving in enumerate(contributing(study.moving, field)):
        slice_ = Dataset()
        sources = [*same_slice(study, k, depth), *moving]
        if sources:
            slice_.SourceImageSequence = images(sources, SOURCE)
        own.append(slice_)
    return own


def _describe_grey(header: Dataset) -> None:
    header.SOPClassUID, header.Modality, header.SeriesNumber = MRImageStorage, "MR", 9001
    header.SeriesDescription = "fused, research use only"
    header.DerivationDescription = (
        f"fixed and registered moving image fused by BiMSRec; {HIGHEST} stands for 1"
    )
    header.ScanningSequence, header.SequenceVariant = "RM", "NONE"  # research mode
    empty_mr(header)
    describe_grey(header, bits=12)
    header.WindowCenter, header.WindowWidth = str(HIGHEST // 2), str(HIGHEST)


def _describe_colors(header: Dataset) -> None:
    """MR images cannot be RGB."""
    header.SOPClassUID, header.Modality = SecondaryCaptureImageStorage, "OT"
    header.SeriesNumber, header.ConversionType = 9002, "WSD"
    header.SeriesDescription = "fused in colours, research use only"
    header.DerivationDescription = (
        "fixed and registered moving image fused by BiMSRec, with the moving image's colour map"
    )
    header.SamplesPerPixel, header.PlanarConfiguration = 3, 0
    header.PhotometricInterpretation = "RGB"
    header.BitsAllocated, header.BitsStored, header.HighBit = 8, 8, 7
    header.PixelRepresentation = 0
