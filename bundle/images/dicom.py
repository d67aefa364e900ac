"""Read DICOM series; every file is opened once, unless there are very many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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
from bundle.images.dicom_frames import frames_in, frames_of
from bundle.images.dicom_grid import grid_of, in_order
from bundle.images.dicom_header import text_of
from bundle.images.dicom_identity import of_one_series
from bundle.images.dicom_paths import HEAD, Readable, begins, files_of, fit, is_one_file
from bundle.images.dicom_pixels import require_one_scale, slice_values
from bundle.images.dicom_volumes import one_volume, volumes_in
from bundle.images.kinds import SLICES
from bundle.images.slice_positions import regular_volume
from bundle.images.suv import PHILIPS
from bundle.images.volume import Instance, Volume

pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
# Else it warns of every value that breaks a rule, and shows it: what matters is refused here.

LARGE = ("PixelData", "FloatPixelData", "DoubleFloatPixelData", "IconImageSequence")
OVERLAYS = range(0x6000, 0x6100)


@dataclass(frozen=True)
class Series:
    """One series of a folder, as its files were read.

    Attributes:
        uid: its SeriesInstanceUID.
        folder: where its files lie.
        slices: the files in order of their position along the normal.
        whole: whether these hold their pixels; else they are read again for them.
    """

    uid: str
    folder: Path
    slices: tuple[Dataset, ...]
    whole: bool = True

    @property
    def modality(self) -> str | None:
        """CT, PET, SPECT or MR as the header says, None for anything else."""
        return DICOM_MODALITIES.get(text_of(self.slices[0], "Modality"))


def read_folder(folder: Path, pixels: bool = True) -> dict[str, Series]:
    """Read all DICOM images that lie in a folder or in folders in it.

    Args:
        folder: may also hold other files, which are skipped; or a DICOMDIR, a ZIP file or one
            file, see :func:`bundle.images.dicom_paths.files_of`. One file stands for its series,
            if it holds several frames for itself.
        pixels: whether they are read; of very many files they are not in any case.

    Returns:
        the series by their UIDs, in the UIDs' order; {} if there is none.

    Raises:
        InputError: a file cannot be opened, is cut short before its pixels, or begins as DICOM
            and goes on as something else.
    """
    paths = list(files_of(folder))
    whole = pixels and fit(paths)
    opened = (_open(path, stop_before_pixels=not whole) for path in paths)
    files = [file for file in opened if file is not None]
    if is_one_file(folder):
        files = _of_series(files)
    classes = {_class(file) for file in files if "Rows" in file}
    found: dict[str, list[Dataset]] = {}
    for file in files:
        if "Rows" in file:
            found.setdefault(_series_of(file), []).append(file)
        elif _class(file) in classes or (
            file.preamble and not _class(file)
        ):  # no report: pydicom leaves out what follows the cut
            raise _unreadable(file.filename)
    return {uid: Series(uid, folder, in_order(found[uid]), whole) for uid in sorted(found)}


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


def _of_series(files: list[Dataset]) -> list[Dataset]:
    """The files of the first one's series; the first alone if it holds several frames."""
    if not files:
        return []
    first = files[0]
    if frames_in(first) > 1:
        return [first]
    return [one for one in files if _series_of(one) == _series_of(first)]


def _series_of(file: Dataset) -> str:
    """UID of the series that a file belongs to."""
    return text_of(file, "SeriesInstanceUID")


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
    values = np.stack([slice_values(one) for one in slices])
    require_one_scale(slices, values)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.places[0].tolist())
    image.SetDirection(grid.axes.ravel().tolist())
    regular, remarks = regular_volume(image, grid.places if len(slices) > 1 else None, folder)
    return Volume(
        name=str(folder),
        image=regular,
        modality=series.modality,
        remarks=(*grid.remarks, *remarks, *of_one_series(slices)),
        resampled=bool(remarks),
        header=_without_pixels(slices[0]),
        sources=_sources(slices),
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


def _open(path: Readable, **options: Any) -> Dataset | None:
    """A file's data set, None if it neither is a DICOM file nor called one."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
            stream.seek(0)
            if head[128:] == b"DICM":
                return _named(pydicom.dcmread(stream, **options), path)
            bare = _open_bare(stream, head, options) if begins(head) else None
            if bare is not None:
                return _named(bare, path)
    except InvalidDicomError:
        pass
    except OSError as error:
        reason = error.strerror
        raise InputError(f"{path}: cannot be opened ({reason}); check its permissions") from error
    except Exception as error:  # of any type: pydicom has no common one for damaged files
        raise _unreadable(path) from error
    if str(path).lower().endswith(SLICES):
        raise _unreadable(path)
    return None


def _named(file: Dataset, path: Readable) -> Dataset:
    file.filename = str(path)
    return file


def with_pixels(series: Series) -> Series:
    """A series whose files hold their pixels, read again if there were too many files for them."""
    if series.whole:
        return series
    return replace(series, slices=tuple(map(_whole, series.slices)), whole=True)


def _whole(file: Dataset) -> Dataset:
    """A file with its pixels."""
    again = _open(Path(file.filename))
    if again is None:
        raise _unreadable(file.filename)
    return again


def _unreadable(path: object) -> InputError:
    return InputError(f"{path}: cannot be read as DICOM; export the series anew")


def _class(file: Dataset) -> str:
    """UID of the kind of DICOM object that a file holds."""
    return _of_object(file, "SOPClassUID")


def _sources(slices: Sequence[Dataset]) -> tuple[Instance, ...]:
    """The objects that slices lie in; none where no reference to them could name all it has to."""
    found = [Instance(_class(one), _of_object(one, "SOPInstanceUID")) for one in slices]
    named = all(text_of(slices[0], f"{kind}InstanceUID") for kind in ("Study", "Series"))
    whole = named and all(one.sop_class and one.uid for one in found)
    return tuple(dict.fromkeys(found)) if whole else ()


def _of_object(file: Dataset, keyword: str) -> str:
    """What a file says of the object in it, or else in front of it."""
    try:
        return text_of(file, keyword) or text_of(file.file_meta, f"MediaStorage{keyword}")
    except InputError as error:  # the front knows no name of the file
        raise _unreadable(file.filename) from error


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
        if (tag.is_private and tag.group != PHILIPS[0]) or tag.group in OVERLAYS:
            continue
        try:
            element = slice_[tag]
        except Exception:  # of any type: a value that breaks its own format
            continue
        if element.keyword not in LARGE:
            header.add(element)
    return header
