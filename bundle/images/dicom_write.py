"""Write a data set as a DICOM file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pydicom
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

STRICT = (
    {"write_like_original": False}
    if pydicom.__version__.startswith("2.")
    else {"enforce_file_format": True}
)
"""How to ask pydicom for a complete file: MONAI Label needs the older version."""


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


def decimals(values: Iterable[float]) -> list[str]:
    """DICOM's decimal strings, 16 characters at most."""
    return [format_number_as_ds(float(value)) for value in values]
