"""Read a folder of DICOM series as a volume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.slice_positions import regular_volume

ALIKE = 1e-3
"""By which pixel sizes (mm) and direction cosines of the slices of a series may differ."""

MODALITIES = {"CT": "CT", "PT": "PET", "NM": "SPECT", "MR": "MR"}


def read_series(folder: Path, series: Sequence[str] = ()) -> tuple[sitk.Image, str]:
    """Read the folder's series.

    Args:
        folder: holds the files of one series, or of several.
        series: UIDs out of which one is the series to read, where there are several.

    Returns:
        the volume in the files' units (HU for CT), LPS, float64; and how it was made regular
        ('' if it was).

    Raises:
        InputError: no series, several of which none is named, slices missing, of two pixel sizes
            or orientations or without positions, or files that cannot be read.
    """
    files = series_files(folder, series)
    if len(files) == 1 and int(_tag(_header(files[0]), "0028|0008") or 1) > 1:
        raise InputError(
            f"{folder}: holds several frames in one DICOM file; convert it to NIfTI, for example "
            "with dcm2niix"
        )
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files)
    reader.SetOutputPixelType(sitk.sitkFloat64)
    try:
        volume = reader.Execute()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{folder}: cannot be read as a DICOM series ({reason})") from error
    headers = [_header(file) for file in files]
    _require_alike(folder, headers)
    return regular_volume(_upright(volume, headers), _places(folder, headers), folder)


def series_ids(folder: Path) -> list[str]:
    """The UIDs of the series in a folder."""
    return list(sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder)))


def series_files(folder: Path, series: Sequence[str] = ()) -> list[str]:
    """The files of the folder's only series, or of the one named, in order of their position."""
    ids = series_ids(folder)
    if not ids:
        raise InputError(f"{folder}: holds no DICOM series; name the folder of the slices")
    chosen = [uid for uid in ids if uid in series] or list(ids)
    if len(chosen) > 1:
        listed = ", ".join(_described(folder, uid) for uid in ids)
        raise InputError(
            f"{folder}: holds {len(ids)} series: {listed}; name one: --series UID "
            '("series" in a list)'
        )
    return list(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), chosen[0]))


def modality_of(path: Path, series: Sequence[str] = ()) -> str | None:
    """CT, PET, SPECT or MR as a series' header says, None for anything else."""
    if not path.is_dir():
        return None
    return MODALITIES.get(_tag(_header(series_files(path, series)[0]), "0008|0060"))


def _described(folder: Path, uid: str) -> str:
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
    return f"{uid} ({_tag(_header(files[0]), '0008|0060') or 'unknown'}, {len(files)} files)"


def _header(file: str) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetFileName(file)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError(f"{file}: cannot be read as DICOM; export the series anew") from error
    return reader


def _tag(header: sitk.ImageFileReader, tag: str) -> str:
    return header.GetMetaData(tag).strip() if header.HasMetaDataKey(tag) else ""


def _places(folder: Path, headers: list[sitk.ImageFileReader]) -> np.ndarray | None:
    """Position of each slice, (n, 3) mm LPS, as GDCM finds it; None if there is one."""
    places = np.array([header.GetOrigin() for header in headers])
    if len(places) < 2:
        return None
    if not np.ptp(places, axis=0).any() and not all(_tag(h, "0020|0032") for h in headers):
        raise InputError(
            f"{folder}: its headers do not say where the slices lie (ImagePositionPatient); "
            "export the series anew"
        )
    return places


def _require_alike(folder: Path, headers: list[sitk.ImageFileReader]) -> None:
    """ITK takes the first slice's pixel size and orientation for all."""
    for what, found in (
        ("pixel sizes", [header.GetSpacing()[:2] for header in headers]),
        ("orientations", [header.GetDirection() for header in headers]),
    ):
        for number, one in enumerate(found, start=1):
            if not np.allclose(one, found[0], atol=ALIKE):
                raise InputError(
                    f"{folder}: slices 1 and {number} have different {what}; export the one "
                    "series that is meant"
                )


def _upright(volume: sitk.Image, headers: list[sitk.ImageFileReader]) -> sitk.Image:
    """Undo ITK's inversion of MONOCHROME1 pictures, which is meant for a screen: units count."""
    if not any(_tag(header, "0028|0004") == "MONOCHROME1" for header in headers):
        return volume
    values = sitk.GetArrayFromImage(volume)
    for k, header in enumerate(headers):
        if _tag(header, "0028|0004") == "MONOCHROME1":
            slope = float(_tag(header, "0028|1053") or 1)
            intercept = float(_tag(header, "0028|1052") or 0)
            signed = _tag(header, "0028|0103") == "1"
            highest = -1 if signed else 2 ** int(_tag(header, "0028|0101")) - 1
            values[k] = slope * highest + 2 * intercept - values[k]
    upright = sitk.GetImageFromArray(values)
    upright.CopyInformation(volume)
    return upright
