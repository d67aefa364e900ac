"""Whose DICOM headers are, and whether they belong together; who it is stands nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom import Dataset

from bundle.errors import Remark
from bundle.images.dicom_header import text_of

PERSON = ("PatientID", "PatientBirthDate", "PatientSex")
"""Attributes by which two persons are told apart."""


def differing(headers: Sequence[Dataset], keywords: Sequence[str]) -> list[str]:
    """Those attributes of which two headers say different things; what is empty says nothing."""
    found = []
    for keyword in keywords:
        texts = {text_of(header, keyword).casefold() for header in headers}
        if len(texts - {""}) > 1:
            found.append(keyword)
    return found


def of_one_series(slices: Sequence[Dataset]) -> Iterator[Remark]:
    """What speaks against the slices of a series being of one person, in one position."""
    if persons := differing(slices, PERSON):
        text = f"its slices are of two persons ({', '.join(persons)} differ)"
        yield Remark("two_persons", text)
    if differing(slices, ("FrameOfReferenceUID",)):
        text = "its slices have several frames of reference: their positions may not fit together"
        yield Remark("frames_of_reference", text)
