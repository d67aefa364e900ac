"""Read a folder of DICOM series; every file is opened once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from bundle.domain import DICOM_MODALITIES
from bundle.errors import InputError
from bundle.images.dicom_frames import frames_of
from bundle.images.dicom_grid import grid_of, in_order
from bundle.images.dicom_pixels import slice_values
from bundle.images.dicom_volumes import one_volume, volumes_in
from bundle.images.slice_positions import regular_volume
from bundle.images.volume import Instance, Volume

pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
# Else it warns of every value that breaks a rule, and shows it: what matters is refused here.

LARGE = ("PixelData", "FloatPixelData", "DoubleFloatPixelData", "IconImageSequence")
OVERLAYS = range(0x6000, 0x6100)
PHILIPS_PET = 0x7053
"""The private group with the factors of Philips' standardised uptake values."""


@dataclass(frozen=True)
class Series:
    """One series of a folder, as its files were read.

    Attributes:
        uid: its SeriesInstanceUID.
        folder: where its files lie.
        slices: the files, whole, in order of their position along the normal.
    """

    uid: str
    folder: Path
    slices: tuple[Dataset, ...]

    @property
    def modality(self) -> str | None:
        """CT, PET, SPECT or MR as the header says, None for anything else."""
        return DICOM_MODALITIES.get(str(self.slices[0].get("Modality", "")))


def read_folder(folder: Path) -> dict[str, Series]:
    """Read all DICOM images that lie in a folder, not in folders in it.

    Args:
        folder: may also hold other files, which are skipped.

    Returns:
        the series by their UIDs, in the UIDs' order; {} if there is none.

    Raises:
        InputError: a file cannot be opened, is cut short before its pixels, or begins as DICOM
            and goes on as something else.
    """
    files = [file for file in map(_open, _files(folder)) if file is not None]
    classes = {_class(file) for file in files if "Rows" in file}
    found: dict[str, list[Dataset]] = {}
    for file in files:
        if "Rows" in file:
            found.setdefault(str(file.get("SeriesInstanceUID") or ""), []).append(file)
        elif _class(file) in classes:  # no report: pydicom leaves out what follows the cut
            raise _unreadable(file.filename)
    return {uid: Series(uid, folder, in_order(found[uid])) for uid in sorted(found)}


def holds_series(folder: Path) -> bool:
    """Whether a folder holds a DICOM image; stops at the first."""
    for path in _files(folder):
        try:
            file = _open(path, stop_before_pixels=True)
        except InputError:
            continue
        if file is not None and "Rows" in file:
            return True
    return False


def choose_series(folder: Path, found: Mapping[str, Series], uids: Sequence[str] = ()) -> Series:
    """Choose the folder's only series, or the one that is named.

    Args:
        folder: named in errors.
        found: what :func:`read_folder` found there.
        uids: UIDs out of which one is the series to read, where there are several.

    Raises:
        InputError: there is no series, or there are several of which none is named.
    """
    if not found:
        raise InputError(f"{folder}: holds no DICOM series; name the folder of the slices")
    chosen = [uid for uid in found if uid in uids] or list(found)
    if len(chosen) > 1:
        listed = ", ".join(
            f"{uid} ({series.slices[0].get('Modality') or 'unknown'}, {len(series.slices)} files)"
            for uid, series in found.items()
        )
        raise InputError(
            f"{folder}: holds {len(found)} series: {listed}; name one: --series UID "
            '("series" in a list)'
        )
    return found[chosen[0]]


def volume_of(
    series: Series, frame: int | None = None, spacing: Sequence[float] | None = None
) -> Volume:
    """Stack the slices of a series.

    Args:
        series: of which every file holds one slice or several frames.
        frame: number, from 0, of the volume that is meant, where the series holds several.
        spacing: mm along rows, columns and slices; counts where the headers do not say it.

    Returns:
        the volume in the files' units (HU for CT), on a regular grid.

    Raises:
        InputError: slices are missing, of two sizes, pixel sizes or orientations, without
            positions, in colour or damaged; frames of a file do not say where they lie; or the
            series holds several volumes of which none is named.
    """
    folder = series.folder
    frames = [one for file in series.slices for one in frames_of(file, spacing)]
    slices = one_volume(folder, in_order(frames), frame)
    grid = grid_of(folder, slices, spacing)
    image = sitk.GetImageFromArray(np.stack([slice_values(one) for one in slices]))
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.places[0].tolist())
    image.SetDirection(grid.axes.ravel().tolist())
    regular, remarks = regular_volume(image, grid.places if len(slices) > 1 else None, folder)
    return Volume(
        name=str(folder),
        image=regular,
        modality=series.modality,
        remarks=(*grid.remarks, *remarks),
        resampled=bool(remarks),
        header=_without_pixels(slices[0]),
        sources=tuple(map(_instance, slices)),
    )


def count_of(series: Series, spacing: Sequence[float] | None = None) -> int:
    """How many volumes a series holds, see :func:`volume_of`."""
    frames = [one for file in series.slices for one in frames_of(file, spacing)]
    parted = volumes_in(in_order(frames))
    return 1 if parted is None else len(parted[1])


def _files(folder: Path) -> Iterator[Path]:
    """The files of a folder, hidden ones left out; nothing if there is no such folder."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.is_file() and not path.name.startswith("."):
            yield path


def _open(path: Path, **options: Any) -> Dataset | None:
    """A file's data set, None if it is no DICOM file."""
    try:
        with path.open("rb") as stream:
            head = stream.read(132)
            stream.seek(0)
            if head[128:] == b"DICM":
                return pydicom.dcmread(stream, **options)
            if head[:1] in (b"\x02", b"\x08") and head[1:2] + head[3:4] == b"\0\0":
                return _open_bare(stream, head, options)
            return None
    except InvalidDicomError:
        return None
    except OSError as error:
        reason = error.strerror
        raise InputError(f"{path}: cannot be opened ({reason}); check its permissions") from error
    except Exception as error:  # of any type: pydicom has no common one for damaged files
        raise _unreadable(path) from error


def _unreadable(path: Path) -> InputError:
    return InputError(f"{path}: cannot be read as DICOM; export the series anew")


def _class(file: Dataset) -> str | None:
    """UID of the kind of DICOM object that a file holds."""
    return file.file_meta.get("MediaStorageSOPClassUID") or file.get("SOPClassUID")


def _instance(file: Dataset) -> Instance:
    uid = file.get("SOPInstanceUID") or file.file_meta.get("MediaStorageSOPInstanceUID")
    return Instance(str(_class(file) or ""), str(uid or ""))


def _open_bare(stream: Any, head: bytes, options: dict[str, Any]) -> Dataset | None:
    """A file without the preamble, as old archives export them."""
    try:
        file = pydicom.dcmread(stream, force=True, **options)
    except Exception:  # of any type: then it only began like one
        return None
    if "TransferSyntaxUID" not in file.file_meta:
        explicit = head[4:6].isalpha()
        file.file_meta.TransferSyntaxUID = (
            ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian
        )
    return file


def _without_pixels(slice_: Dataset) -> Dataset:
    """What a slice says of patient, study and series: small, and free of its file."""
    header = Dataset()
    for tag in sorted(slice_.keys()):
        if (tag.is_private and tag.group != PHILIPS_PET) or tag.group in OVERLAYS:
            continue
        try:
            element = slice_[tag]
        except Exception:  # of any type: a value that breaks its own format
            continue
        if element.keyword not in LARGE:
            header.add(element)
    return header
