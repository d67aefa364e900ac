"""Read a folder with one DICOM series as a volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError

MODALITIES = {"CT": "CT", "PT": "PET", "NM": "SPECT"}
UNEVEN = 0.02
"""Largest deviation of a slice's distance from the median one, as a share."""

TILT = 0.5
"""Largest angle in degrees between the stack of slices and their normal."""


def read_series(folder: Path) -> sitk.Image:
    """Read the folder's series.

    Args:
        folder: holds the files of exactly one series.

    Returns:
        the volume in the files' units (HU for CT), LPS.

    Raises:
        InputError: no series or several, slices missing or unevenly spaced, a tilted gantry, or
            files that cannot be read.
    """
    files = series_files(folder)
    _require_even(folder, files)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files)
    try:
        return reader.Execute()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{folder}: cannot be read as a DICOM series ({reason})") from error


def series_files(folder: Path) -> list[str]:
    """The files of the folder's only series, in order of their position."""
    ids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if not ids:
        raise InputError(f"{folder}: holds no DICOM series; name the folder of the slices")
    if len(ids) > 1:
        counts = [len(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), i)) for i in ids]
        listed = ", ".join(f"{i} ({n} files)" for i, n in zip(ids, counts, strict=True))
        raise InputError(
            f"{folder}: holds {len(ids)} series: {listed}; put one into a folder of its own"
        )
    return list(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), ids[0]))


def modality_of(path: Path) -> str | None:
    """CT, PET or SPECT as a series' header says, None for anything else."""
    if not path.is_dir():
        return None
    reader = _header(series_files(path)[0])
    code = reader.GetMetaData("0008|0060").strip() if reader.HasMetaDataKey("0008|0060") else ""
    return MODALITIES.get(code)


def _header(file: str) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetFileName(file)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError(f"{file}: cannot be read as DICOM; export the series anew") from error
    return reader


def _require_even(folder: Path, files: list[str]) -> None:
    """Refuse a series that is no regular grid of voxels."""
    headers = [_header(file) for file in files]
    if len(headers) < 2 or not all(h.HasMetaDataKey("0020|0032") for h in headers):
        return
    places = np.array([[float(v) for v in h.GetMetaData("0020|0032").split("\\")] for h in headers])
    normal = np.array(headers[0].GetDirection()).reshape(3, -1)[:, 2]
    steps = np.diff(places, axis=0)
    along = steps @ normal
    middle = np.median(along)
    if np.abs(along - middle).max() > UNEVEN * abs(middle):
        worst = int(np.abs(along - middle).argmax())
        raise InputError(
            f"{folder}: the distance after slice {worst + 1} is {abs(along[worst]):.2f} mm, "
            f"elsewhere {abs(middle):.2f} mm; a slice is missing or the spacing is uneven: "
            "export the series again or resample it to even slices"
        )
    total = places[-1] - places[0]
    cosine = abs(total @ normal) / max(np.linalg.norm(total), 1e-9)
    angle = float(np.degrees(np.arccos(min(1.0, cosine))))
    if angle > TILT:
        raise InputError(
            f"{folder}: the gantry was tilted by {angle:.1f} degrees; correct the tilt first "
            "(dcm2niix writes a corrected volume)"
        )
