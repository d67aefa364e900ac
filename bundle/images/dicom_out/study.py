"""Whose images are written: patient, study and frames of reference."""

from __future__ import annotations

from dataclasses import dataclass

import pydicom
from pydicom import DataElement, Dataset
from pydicom.multival import MultiValue

from bundle import __version__
from bundle.images.dicom_out.uids import content_of_volume, uid_of
from bundle.images.volume import Volume

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
    "PatientSize",
    "PatientWeight",
    "StudyInstanceUID",
    "StudyID",
    "PatientPosition",
    "PositionReferenceIndicator",
)
"""Attributes of patient and study, and how the patient lies."""

REQUIRED = (
    *COPIED[:4],
    *COPIED[5:9],
    "StudyID",
    "PatientPosition",
    "PositionReferenceIndicator",
)
"""Those that have to be there, empty if nothing is known."""

UNKNOWN_TIME = ("19000101", "000000")
"""Date and time where an object has to have them and neither image says any."""


@dataclass(frozen=True)
class Study:
    """To what the written objects belong.

    Attributes:
        fixed: the fixed volume, on whose grid and in whose frame of reference images are.
        moving: the moving volume.
        attributes: of patient, study and equipment, of the fixed series, else of the moving one;
            of no series they name nobody.
        frames: UIDs of the frames of reference of the fixed and of the moving volume; of what is
            no DICOM series they are new.
    """

    fixed: Volume
    moving: Volume
    attributes: Dataset
    frames: tuple[str, str]


def study_of(fixed: Volume, moving: Volume) -> Study:
    """Find out to what the results of a pair belong.

    Args:
        fixed: as it was read.
        moving: as it was read.
    """
    sides = (fixed, moving)
    template = next((side.header for side in sides if side.header is not None), None)
    attributes = Dataset()
    attributes.SpecificCharacterSet = "ISO_IR 192"  # UTF-8; pydicom has read the template's own
    for keyword in REQUIRED:
        setattr(attributes, keyword, "")  # StudyDate too: today would be wrong
    for keyword in COPIED:
        copy(template, attributes, keyword)
    if "StudyInstanceUID" not in attributes:
        attributes.StudyInstanceUID = uid_of("study", content_of_volume(fixed.image))
    attributes.Manufacturer = "BiMSRec"
    attributes.ManufacturerModelName = "BiMSRec"
    attributes.DeviceSerialNumber, attributes.SoftwareVersions = "0", __version__
    return Study(fixed, moving, attributes, (_frame(fixed), _frame(moving)))


def content_time(study: Study) -> tuple[str, str]:
    """Date and time of the moving series, else of the study: now would not be reproducible."""
    headers = [side.header for side in (study.moving, study.fixed) if side.header is not None]
    for header in headers:
        for kind in ("Acquisition", "Series", "Content", "Study"):
            date = str(header.get(f"{kind}Date") or "").strip()
            time = str(header.get(f"{kind}Time") or "").strip()
            if len(date) == 8 and date.isdigit() and time[:6].isdigit():
                return date, time
    return UNKNOWN_TIME


def copy(source: Dataset | None, target: Dataset, keyword: str) -> None:
    """Copy an attribute that has a value; valid or not, it is what the source says."""
    element = None if source is None or keyword not in source else source[keyword]
    if element is None or not element.value:
        return
    if element.VR == "SQ":
        items = [_decoded(one) for one in element.value]
        target[keyword] = DataElement(element.tag, "SQ", items)
        return
    values = element.value if isinstance(element.value, MultiValue) else [element.value]
    text = "\\".join(str(value) for value in values)
    value = element.value if element.VR in ("US", "SS", "UL", "SL", "FL", "FD") else text
    target[keyword] = DataElement(
        element.tag, element.VR, value, validation_mode=pydicom.config.IGNORE
    )


def _decoded(item: Dataset) -> Dataset:
    """An item of a sequence with its texts read: pydicom would write their bytes as they are."""
    found = Dataset()
    for tag in sorted(item.keys()):
        try:
            element = item[tag]
        except Exception:  # of any type: a value that breaks its own format
            continue
        if element.VR == "SQ":
            element = DataElement(tag, "SQ", [_decoded(one) for one in element.value])
        if element.keyword != "SpecificCharacterSet":  # that of the file counts
            found.add(element)
    return found


def _frame(volume: Volume) -> str:
    known = volume.header is not None and str(volume.header.get("FrameOfReferenceUID") or "")
    return known or uid_of("frame of reference", content_of_volume(volume.image))
