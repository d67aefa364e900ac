"""UIDs that depend on the content alone: equal results have equal UIDs, all others differ."""

from __future__ import annotations

import hashlib
import uuid

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset


def uid_of(*parts: str | bytes) -> str:
    """A UID below 2.25, whose number is a UUID (ISO/IEC 9834-8).

    Args:
        *parts: what it stands for, in this order.
    """
    sum_ = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        sum_.update(len(content).to_bytes(8, "little") + content)
    return f"2.25.{uuid.UUID(bytes=sum_.digest()[:16], version=5).int}"


def content_of(dataset: Dataset) -> bytes:
    """A data set as its file would hold it."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def content_of_volume(volume: sitk.Image) -> bytes:
    """A digest of a volume's values and grid."""
    grid = (*volume.GetSize(), *volume.GetSpacing(), *volume.GetOrigin(), *volume.GetDirection())
    values = np.ascontiguousarray(sitk.GetArrayViewFromImage(volume))
    return hashlib.sha256(repr(grid).encode() + values.tobytes()).digest()
