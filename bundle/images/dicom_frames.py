"""The frames of multi-frame DICOM files, each as a slice of its own.

Enhanced MR, CT and PET (also converted from older ones) say of each frame where it lies in
functional groups (PS3.3 C.7.6.16); nuclear medicine says it of the first one and stacks the others
on it (C.8.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pydicom
from pydicom import DataElement, Dataset, encaps
from pydicom.datadict import keyword_for_tag

from bundle.errors import InputError
from bundle.images.dicom_header import axes, numbers, position, text_of, value_of

GROUPS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FrameContentSequence": (
        "StackID", "TemporalPositionIndex", "FrameAcquisitionNumber", "FrameReferenceDateTime",
        "FrameAcquisitionDateTime",
    ),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRModifierSequence": ("InversionTimes",),
    "MRTimingAndRelatedParametersSequence": ("FlipAngle",),
    "MRDiffusionSequence": ("DiffusionBValue",),
    "MRImageFrameTypeSequence": ("FrameType", "ComplexImageComponent"),
    "CTImageFrameTypeSequence": ("FrameType",),
    "PETFrameTypeSequence": ("FrameType",),
    "CTReconstructionSequence": ("ConvolutionKernel",),
    "CardiacSynchronizationSequence": ("NominalCardiacTriggerDelayTime",),
    "UnassignedPerFrameConvertedAttributesSequence": (
        "EchoNumbers", "EchoTime", "InversionTime", "FlipAngle", "AcquisitionNumber",
        "TemporalPositionIdentifier", "FrameReferenceTime", "TriggerTime",
    ),
}  # fmt: skip
"""Functional groups, and what they say of a frame: its place, its units, its volume."""

DESCRIBED = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
"""Where functional groups stand, the one that counts most last."""

DETECTOR = "DetectorInformationSequence"
"""Where nuclear medicine says how its first slice lies."""

SLICES = "SliceVector"
"""Numbers, from 1, of the slices that the frames of a reconstruction show."""

VECTORS = (
    "EnergyWindowVector", "DetectorVector", "PhaseVector", "RotationVector", "RRIntervalVector",
    "TimeSlotVector", "TimeSliceVector", "AngularViewVector",
)  # fmt: skip
"""What else frames of nuclear medicine may be counted by."""

OLDER = pydicom.__version__.startswith("2.")
"""MONAI Label needs this version, which has another function to part compressed frames."""


def frames_in(file: Dataset) -> int:
    """How many frames a file holds."""
    return max(1, int((numbers(file, "NumberOfFrames") or [1.0])[0]))


def frames_of(file: Dataset, spacing: Sequence[float] | None = None) -> list[Dataset]:
    """The slices that a file holds.

    Args:
        file: of one frame or several.
        spacing: mm; the distance of slices counts where the header does not say it.

    Returns:
        a data set for each frame, with its place, units and pixels at the top; of files that hold
        one slice as such the file itself.

    Raises:
        InputError: nothing says where its frames lie, they are projections and no slices, or
            there are fewer than the header says.
    """
    count = frames_in(file)
    described = bool(value_of(file, DESCRIBED[1]))
    stacked = text_of(file, "Modality") == "NM" and (count > 1 or DETECTOR in file)
    if count == 1 and not (described or stacked):
        return [file]
    if not (described or stacked):
        raise InputError(
            f"{file.filename}: holds {count} frames and does not say where each of them lies "
            f"({DESCRIBED[1]}); convert it to NIfTI"
        )
    pixels = _pixels(file, count)
    try:
        said = list(_in_groups(file, count) if described else _in_stack(file, count, spacing))
    except InputError:
        raise
    except Exception as error:  # of any type: pydicom has no common one for damaged values
        raise InputError(
            f"{file.filename}: what it says of its frames is damaged; export the series anew"
        ) from error
    left_out = {*DESCRIBED, "PixelData", "NumberOfFrames", DETECTOR, SLICES}
    top = Dataset()
    for tag in sorted(file.keys()):
        if keyword_for_tag(tag) not in left_out:
            top[tag] = file.get_item(tag)
    return [_frame(file, top, one, part) for one, part in zip(said, pixels, strict=True)]


def _frame(file: Dataset, top: Dataset, said: Dataset, pixels: DataElement) -> Dataset:
    """One frame as a file of a single slice holds it."""
    frame = _copied(top)
    frame.file_meta, frame.filename = file.file_meta, file.filename
    if OLDER:
        frame.is_little_endian, frame.is_implicit_VR = file.is_little_endian, file.is_implicit_VR
    frame.update(said)
    frame.add(pixels)
    return frame


def _copied(one: Dataset) -> Dataset:
    """A data set of its own; pydicom's constructor shares its elements."""
    copy = Dataset()
    copy.update(one)
    return copy


def _in_groups(file: Dataset, count: int) -> Iterator[Dataset]:
    """What the functional groups say of each frame."""
    own = file[DESCRIBED[1]].value
    if len(own) != count:
        raise InputError(
            f"{file.filename}: describes {len(own)} frames of {count}; export the series anew"
        )
    shared = Dataset()
    for groups in (file.get(DESCRIBED[0]) or [])[:1]:
        _take(groups, shared)
    for groups in own:
        frame = _copied(shared)
        _take(groups, frame)
        yield frame


def _take(groups: Dataset, frame: Dataset) -> None:
    """Bring to the top of a frame what its functional groups say; values stay as they are."""
    for group, keywords in GROUPS.items():
        for item in (groups.get(group) or [])[:1]:
            for keyword in keywords:
                if keyword in item:
                    frame[keyword] = item.get_item(keyword)


def _in_stack(file: Dataset, count: int, spacing: Sequence[float] | None) -> Iterator[Dataset]:
    """Where the slices of nuclear medicine lie, and which volume each of them belongs to."""
    counted = _vectors(file, count)
    if count > 1 and SLICES not in counted and "RECON" not in text_of(file, "ImageType"):
        raise InputError(
            f"{file.filename}: its {count} frames are projections or of one place, and no slices "
            "(ImageType); give the reconstructed series"
        )
    places = counted.pop(SLICES, list(range(1, count + 1)))
    first = Dataset()
    first.filename = file.filename
    for holder in (file, *(file.get(DETECTOR) or [])[:1]):
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient"):
            if holder.get(keyword):
                first[keyword] = holder.get_item(keyword)
    start, directions = position(first), axes(first)
    step = _step(file, spacing) if count > 1 else 0.0
    for number, place in enumerate(places):
        frame = Dataset()
        frame.InstanceNumber = place
        if directions is not None:
            frame["ImageOrientationPatient"] = first["ImageOrientationPatient"]
        if start is not None and directions is not None:
            along = start + (place - 1) * step * directions[:, 2]
            frame.ImagePositionPatient = along.tolist()
        for keyword, values in counted.items():
            setattr(frame, keyword, values[number])
        yield frame


def _step(file: Dataset, spacing: Sequence[float] | None) -> float:
    """Distance of the slices in mm, negative against the normal, as the standard has it."""
    found = numbers(file, "SpacingBetweenSlices")
    if found and found[0]:
        return found[0]
    if spacing is None:
        raise InputError(
            f"{file.filename}: does not say how far apart its slices are (SpacingBetweenSlices); "
            'state it: --spacing X Y Z ("spacing" in a list)'
        )
    return float(spacing[2])


def _vectors(file: Dataset, count: int) -> dict[str, list[int]]:
    """What counts the frames."""
    found = {}
    for keyword in (SLICES, *VECTORS):
        values = [int(value) for value in numbers(file, keyword)]
        if values and len(values) != count:
            raise InputError(
                f"{file.filename}: its {keyword} counts {len(values)} frames of {count}; export "
                "the series anew"
            )
        if values:
            found[keyword] = values
    return found


def _pixels(file: Dataset, count: int) -> list[DataElement]:
    """The stored pixels of each frame."""
    if "PixelData" not in file:
        raise InputError(f"{file.filename}: holds no stored pixels; export the series anew")
    try:
        whole = file["PixelData"]
        parts = _parts(file, whole, count)
    except Exception as error:  # of any type: it depends on pydicom's version
        raise InputError(
            f"{file.filename}: its pixels are damaged or cut short; copy or export the series anew"
        ) from error
    elements = [DataElement(whole.tag, whole.VR, part) for part in parts]
    for element in elements:
        element.is_undefined_length = whole.is_undefined_length
    return elements


def _parts(file: Dataset, whole: DataElement, count: int) -> list[bytes]:
    if whole.is_undefined_length:
        if OLDER:
            packed = encaps.generate_pixel_data_frame(whole.value, count)
        else:
            packed = encaps.generate_frames(whole.value, number_of_frames=count)
        parts = [encaps.encapsulate([part]) for part in packed]
        if len(parts) != count:
            raise ValueError("frames are missing")
        return parts
    samples = int((numbers(file, "SamplesPerPixel") or [1.0])[0])
    size = int(file.Rows) * int(file.Columns) * samples * int(file.BitsAllocated)
    if size % 8 or not size:
        raise ValueError("pixels of parts of a byte")
    size //= 8
    if not size * count <= len(whole.value) <= size * count + 8:
        raise ValueError("fewer or more pixels than the header says")
    data = np.frombuffer(whole.value, np.uint8)
    return [data[k * size : (k + 1) * size].tobytes() for k in range(count)]
