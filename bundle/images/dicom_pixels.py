"""The values of a DICOM slice."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import DataElement, Dataset
from pydicom.uid import RLELossless, SecondaryCaptureImageStorage, generate_uid

from bundle.errors import InputError
from bundle.images.dicom_frames import OLDER
from bundle.images.dicom_header import number_of, numbers, text_of
from bundle.images.dicom_write import save_file

GREY = ("MONOCHROME2", "MONOCHROME1")
"""Of PhotometricInterpretation: one value per pixel."""

SPARE = 8
"""Bytes that may follow the pixels of a slice."""

SCALE = {"RescaleSlope": 1.0, "RescaleIntercept": 0.0}
"""What turns stored values into units, and what stands for either where no slice says it."""

NEEDED = (
    "SamplesPerPixel",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
)
"""What a decoder has to know of a grey picture."""


def slice_values(slice_: Dataset) -> np.ndarray:
    """Decode a slice.

    Args:
        slice_: one slice, with its file's name.

    Returns:
        (rows, columns), float64, in the file's units (HU for CT). Pictures that are meant to be
        shown inverted (MONOCHROME1) keep their units.

    Raises:
        InputError: it is a colour picture, or damaged, or compressed in an unknown way; or its
            units are in a table.
    """
    samples = numbers(slice_, "SamplesPerPixel") or [1]
    shown = text_of(slice_, "PhotometricInterpretation") or GREY[0]
    if samples != [1] or shown not in GREY:
        raise InputError(
            f"{slice_.filename}: holds a colour picture; export the series of grey values that it "
            "was made from"
        )
    if slice_.get("ModalityLUTSequence"):
        raise InputError(
            f"{slice_.filename}: has its units in a table (ModalityLUTSequence); export the series "
            "with RescaleSlope and RescaleIntercept"
        )
    values = _stored(slice_).astype(np.float64)
    slope = number_of(slice_, "RescaleSlope") or 1.0  # a slope of 0 is a slope not filled in
    return values * slope + (number_of(slice_, "RescaleIntercept") or 0.0)


def require_one_scale(slices: Sequence[Dataset], values: np.ndarray) -> None:
    """Refuse slices of which some lack the slope or the intercept that others have.

    Empty ones may lack a slope, which would change nothing.

    Args:
        slices: of a volume.
        values: of these slices, (n, rows, columns).

    Raises:
        InputError: they are so.
    """
    for keyword, usual in SCALE.items():
        found = [number_of(one, keyword) for one in slices]
        of_slope = keyword == "RescaleSlope"
        missing = [number is None or (of_slope and number == 0) for number in found]
        if all(lacks or number == usual for lacks, number in zip(missing, found, strict=True)):
            continue
        for slice_, lacks, own in zip(slices, missing, values, strict=True):
            if lacks and not (of_slope and np.ptp(own) == 0):
                raise InputError(
                    f"{slice_.filename}: lacks the {keyword} that other slices have; export the "
                    "series anew"
                )


def _stored(slice_: Dataset) -> np.ndarray:
    packed = False
    try:
        packed = "PixelData" in slice_ and slice_["PixelData"].is_undefined_length
        _require_length(slice_)
        return _without_spare_bits(slice_, _words(slice_))
    except Exception as error:  # of any type: it depends on pydicom's version and its decoders
        if not packed:
            raise _damaged(slice_) from error
    return _decoded_by_gdcm(slice_)


def _require_length(slice_: Dataset) -> None:
    """More pixels than the header says: pydicom would leave the rest out, with a warning."""
    if "PixelData" in slice_ and not slice_["PixelData"].is_undefined_length:
        size = int(slice_.Rows) * int(slice_.Columns) * int(slice_.BitsAllocated) // 8
        if len(slice_.PixelData) > size + SPARE:
            raise ValueError("holds more pixels than its header says")


def _keeps_words(slice_: Dataset) -> bool:
    """Whether pixels are kept with their spare bits; other decoders shift to the lowest bit."""
    packed = slice_["PixelData"].is_undefined_length
    return not packed or slice_.file_meta.TransferSyntaxUID == RLELossless


def _words(slice_: Dataset) -> np.ndarray:
    """Whole words: pydicom 3 takes the lowest bits of each for its value, wherever that lies."""
    bits, high = int(slice_.get("BitsStored", 0)), slice_.get("HighBit")
    if high is None or int(high) + 1 == bits or not _keeps_words(slice_):
        return slice_.pixel_array
    whole = Dataset()
    whole.update(slice_)
    whole.file_meta = slice_.file_meta
    if OLDER:
        whole.is_little_endian = slice_.is_little_endian
        whole.is_implicit_VR = slice_.is_implicit_VR
    allocated = int(slice_.BitsAllocated)
    for keyword, value in (("BitsStored", allocated), ("HighBit", allocated - 1)):
        whole[keyword] = DataElement(slice_[keyword].tag, "US", value)  # elements are shared
    return whole.pixel_array


def _without_spare_bits(slice_: Dataset, values: np.ndarray) -> np.ndarray:
    """Old writers keep overlays in bits of a pixel that are not part of its value."""
    bits = int(slice_.get("BitsStored", 0))
    if values.dtype.kind == "f" or bits >= 8 * values.itemsize:
        return values
    if bits < 1:
        raise ValueError("no bits are stored")
    whole = values.astype(np.int64)
    if _keeps_words(slice_):
        whole >>= max(int(slice_.get("HighBit", bits - 1)) + 1 - bits, 0)
    whole &= (1 << bits) - 1
    if slice_.PixelRepresentation == 1:
        whole -= (whole >> (bits - 1)) << bits
    return whole


def _decoded_by_gdcm(slice_: Dataset) -> np.ndarray:
    """Decode what pydicom has no decoder for: JPEG lossless, JPEG-LS and others.

    GDCM gets a file without rescale, so that it hands back the values as they are stored.
    """
    bare = Dataset()
    bare.SOPClassUID, bare.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid(prefix=None)
    bare.PhotometricInterpretation = "MONOCHROME2"  # it would invert MONOCHROME1
    for keyword in NEEDED:
        if keyword in slice_:
            bare[keyword] = slice_[keyword]
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "slice.dcm"
            save_file(bare, path, slice_.file_meta.TransferSyntaxUID)
            reader.SetFileName(str(path))
            values = sitk.GetArrayFromImage(reader.Execute())
        shape = int(slice_.Rows), int(slice_.Columns)
        return _without_spare_bits(slice_, values.reshape(shape))
    except (RuntimeError, ValueError, AttributeError) as error:
        raise _damaged(slice_) from error


def _damaged(slice_: Dataset) -> InputError:
    return InputError(
        f"{slice_.filename}: its pixels are damaged, cut short or compressed in an unknown way; "
        "copy or export the series anew"
    )
