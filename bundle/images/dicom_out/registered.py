"""Write the registered moving volume as a series in its own units and modality."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset

from bundle.domain import Range
from bundle.images.dicom_out.frames import write_frames
from bundle.images.dicom_out.modalities import registered_header
from bundle.images.dicom_out.references import (
    ANATOMY,
    DEFORMED,
    RESAMPLED,
    SOURCE,
    code,
    contributing,
    images,
)
from bundle.images.dicom_out.slices import as_slices, describe_grey, write_slices
from bundle.images.dicom_out.stored import Stored, equal_steps, steps_of_slices, whole_steps
from bundle.images.dicom_out.study import Study
from bundle.images.dicom_write import decimals
from bundle.images.volume import Instance

NUMBER = 9003
"""Of the series."""


def write_registered(
    warped: sitk.Image,
    field: sitk.Image,
    folder: Path,
    study: Study,
    modality: str | None,
    window: Range,
    hounsfield: bool = False,
) -> None:
    """Write the registered moving volume.

    Args:
        warped: in the moving volume's own units, on the fixed grid.
        field: displacements on the fixed grid, mm, LPS, pull-back: which slices it is made from.
        folder: to be made.
        study: to which the series belongs.
        modality: of the moving volume; what DICOM has no class of its own for is written as
            secondary captures.
        window: values to show as black and white.
        hounsfield: whether values are Hounsfield units.
    """
    warped, field = as_slices(warped), as_slices(field)
    values = sitk.GetArrayFromImage(warped)
    header = registered_header(study, modality)
    header.FrameOfReferenceUID = study.frames[0]
    header.SeriesNumber = NUMBER
    header.SeriesDescription = f"{modality or 'moving image'} registered, research use only"
    header.DerivationDescription = (
        "registered to the images of the referenced frame of reference by BiMSRec and resampled "
        "onto their grid by linear interpolation; values in the units of the source images"
    )
    header.DerivationCodeSequence = [code(RESAMPLED), code(DEFORMED)]
    stored = _stored(values, modality, hounsfield or is_whole(study.moving.image))
    describe_grey(header, signed=stored.pixels.dtype.kind == "i")
    header.RescaleIntercept = stored.intercept
    if modality != "PET":
        header.RescaleType = "HU" if hounsfield else "US"
    width = window[1] - window[0] or 1.0
    header.WindowCenter, header.WindowWidth = decimals((sum(window) / 2, width))
    if width < 1:  # below 1 the usual function has no meaning (PS3.3 C.11.2.1.2)
        header.VOILUTFunction = "LINEAR_EXACT"
    if modality == "PET":
        header.NumberOfSlices = len(values)
    if modality == "SPECT":
        header.RescaleSlope = stored.slopes[0]
        header.update(_of_all(study))
        write_frames(header, stored.pixels, warped, folder)
        return
    write_slices(header, stored.pixels, warped, _own(stored, study, field, modality), folder)


def is_whole(volume: sitk.Image) -> bool:
    """Whether a volume holds whole numbers of 16 bits."""
    values = sitk.GetArrayViewFromImage(volume)
    small = values.min() >= -(2**15) and values.max() < 2**15
    return bool(small and (values == np.rint(values)).all())


def _stored(values: np.ndarray, modality: str | None, whole: bool) -> Stored:
    if modality == "PET":
        return steps_of_slices(values)
    return whole_steps(values) if whole else equal_steps(values)


def _own(
    stored: Stored, study: Study, field: sitk.Image, modality: str | None
) -> Sequence[Dataset]:
    """What each slice says for itself: its slope, and the images that it is made from."""
    own = []
    for k, sources in enumerate(contributing(study.moving, field)):
        slice_ = Dataset()
        slice_.RescaleSlope = stored.slopes[k]
        if modality == "PET":
            slice_.ImageIndex = k + 1
        if sources:
            slice_.SourceImageSequence = images(sources, SOURCE)
        fixed = same_slice(study, k, len(stored.slopes))
        if fixed:
            slice_.ReferencedImageSequence = images(fixed, ANATOMY)
        own.append(slice_)
    return own


def _of_all(study: Study) -> Dataset:
    """The images that all slices together are made from."""
    found = Dataset()
    if study.moving.sources:
        found.SourceImageSequence = images(study.moving.sources, SOURCE)
    if study.fixed.sources:
        found.ReferencedImageSequence = images(study.fixed.sources, ANATOMY)
    return found


def same_slice(study: Study, k: int, count: int) -> Sequence[Instance]:
    """The image of the fixed series on whose pixels slice k lies; () if that is not known.

    A file of all frames stands for each of them.
    """
    sources = study.fixed.sources
    if len(sources) == 1:
        return sources
    known = len(sources) == count and not study.fixed.resampled
    return sources[k : k + 1] if known else ()
