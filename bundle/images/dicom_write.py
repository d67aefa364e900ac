"""Write a fused volume as a DICOM series."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import SimpleITK as sitk

HIGHEST = 4095
"""The stored value of 1.0."""

MR_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
CODECS = {
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 126": "iso8859-7",
    "ISO_IR 138": "iso8859-8",
    "ISO_IR 148": "iso8859-9",
    "ISO_IR 203": "iso8859-15",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 166": "tis-620",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
"""Python's names of DICOM's single character sets."""

COPIED = (
    "0008|0005",  # character set
    "0008|0020",  # study: date, time, accession number, referring physician, description
    "0008|0030",
    "0008|0050",
    "0008|0090",
    "0008|1030",
    "0010|0010",  # patient: name, ID, birth date, sex, age
    "0010|0020",
    "0010|0030",
    "0010|0040",
    "0010|1010",
    "0018|5100",  # patient position
    "0020|000d",  # study UID and ID
    "0020|0010",
    "0020|0052",  # frame of reference and its indicator
    "0020|1040",
)


def write_series(fused: sitk.Image, folder: Path, template: str | None = None) -> None:
    """Write a fused volume as a derived MR series of its own.

    Args:
        fused: scalar volume, 0 to 1.
        folder: to be made; one file per slice.
        template: a file of the fixed series: patient, study and frame of reference are copied
            from it. Without one they are new and name nobody.
    """
    if np.linalg.det(np.reshape(fused.GetDirection(), (3, 3))) < 0:
        fused = sitk.DICOMOrient(fused, "LPS")  # DICOM slices follow the right hand
    stored = sitk.Cast(
        sitk.Round(sitk.Clamp(fused, lowerBound=0, upperBound=1) * HIGHEST), sitk.sitkUInt16
    )
    folder.mkdir()
    tags = {**_defaults(), **_copied(template), **_series_tags(fused)}
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k in range(stored.GetSize()[2]):
        image = stored[:, :, k : k + 1]  # in 3D, so that the distance of slices is known
        place = [float(v) for v in fused.TransformIndexToPhysicalPoint((0, 0, k))]
        own = {
            "0008|0018": _uid(),
            "0020|0013": str(k + 1),
            "0020|0032": "\\".join(_decimal(v) for v in place),
        }
        for tag, value in {**tags, **own}.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{k + 1:04d}.dcm"))
        writer.Execute(image)


def _uid() -> str:
    return f"2.25.{uuid.uuid4().int}"


def _decimal(value: float) -> str:
    """A DICOM decimal string: 16 characters at most."""
    return f"{value:.10g}"[:16]


def _defaults() -> dict[str, str]:
    return {
        "0008|0020": "",  # else today's, in a study of an unknown day
        "0008|0030": "",
        "0010|0010": "",
        "0010|0020": "",
        "0020|000d": _uid(),
        "0020|0052": _uid(),
    }


def _copied(template: str | None) -> dict[str, str]:
    if template is None:
        return {}
    reader = sitk.ImageFileReader()
    reader.SetFileName(template)
    reader.ReadImageInformation()
    found = {tag: reader.GetMetaData(tag) for tag in COPIED if reader.HasMetaDataKey(tag)}
    codec = CODECS.get(found.get("0008|0005", "").strip())
    if codec is None:  # ASCII, or several sets at once, told apart by escape sequences
        return {tag: _bytes(value).decode("utf-8", "replace") for tag, value in found.items()}
    unicode = {tag: _bytes(value).decode(codec, "replace") for tag, value in found.items()}
    return {**unicode, "0008|0005": "ISO_IR 192"}


def _bytes(value: str) -> bytes:
    """What stands in the file: SimpleITK hands over bytes that are no UTF-8 as surrogates."""
    return value.encode("utf-8", "surrogateescape")


def _series_tags(volume: sitk.Image) -> dict[str, str]:
    now = datetime.now(timezone.utc)
    rows_columns = np.reshape(volume.GetDirection(), (3, 3))[:, :2].T.ravel()
    thickness = _decimal(volume.GetSpacing()[2])
    return {
        "0008|0008": "DERIVED\\SECONDARY\\OTHER",
        "0008|0016": MR_STORAGE,
        "0008|0021": now.strftime("%Y%m%d"),
        "0008|0031": now.strftime("%H%M%S"),
        "0008|0060": "MR",
        "0008|0070": "BiMSRec",
        "0008|103e": "fused, research use only",
        "0008|2111": "fixed and registered moving image fused by BiMSRec; 4095 stands for 1",
        "0018|0020": "RM",  # scanning sequence and its variant: research mode, none
        "0018|0021": "NONE",
        "0018|0050": thickness,
        "0018|0088": thickness,
        "0020|000e": _uid(),
        "0020|0011": "9001",
        "0020|0037": "\\".join(_decimal(float(v)) for v in rows_columns),
        "0028|1050": str(HIGHEST // 2),
        "0028|1051": str(HIGHEST),
    }
