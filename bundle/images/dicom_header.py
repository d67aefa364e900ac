"""Numbers in the header of a DICOM slice: where it lies and how large its pixels are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.valuerep import STR_VR

from bundle.errors import InputError

STRAIGHT = 1e-2
"""Largest cosine between rows and columns that is let pass as rounded."""

UNIT = 0.01
"""By which the length of a direction in a header may differ from 1."""


def numbers(slice_: Dataset, keyword: str) -> list[float]:
    """Read the numbers of an attribute.

    Args:
        slice_: one slice.
        keyword: name of the attribute.

    Returns:
        its finite values, [] if the attribute is absent or empty.

    Raises:
        InputError: the values are no finite numbers, or bytes where the standard has texts.
    """
    try:
        value = value_of(slice_, keyword)
        if value is not None and dictionary_VR(keyword) in STR_VR and _is_binary(slice_, keyword):
            raise ValueError("another kind of value")
        several = isinstance(value, Sequence) and not isinstance(value, str)
        given = value if several else [value]
        values = [float(one) for one in given if one not in (None, "")]
        if not np.isfinite(values).all():
            raise ValueError("not finite")
    except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise _unusable(slice_, keyword) from error
    return values


def number_of(slice_: Dataset, keyword: str) -> float | None:
    """Read an attribute of one number, None if it is absent or empty.

    Raises:
        InputError: it holds several, or no finite number.
    """
    found = numbers(slice_, keyword)
    if len(found) > 1:
        raise _unusable(slice_, keyword)
    return found[0] if found else None


def _is_binary(slice_: Dataset, keyword: str) -> bool:
    return slice_[keyword].VR not in (*STR_VR, "UN")


def value_of(slice_: Dataset, keyword: str) -> Any:
    """Read an attribute, None if it is absent.

    Raises:
        InputError: its value breaks its own format.
    """
    try:
        return slice_.get(keyword)
    except Exception as error:  # of any type: pydicom has no common one for damaged values
        raise _unusable(slice_, keyword) from error


def text_of(slice_: Dataset, keyword: str) -> str:
    """Read an attribute as a text, several values with spaces between them; '' if absent."""
    value = value_of(slice_, keyword)
    several = isinstance(value, Sequence) and not isinstance(value, str)
    return " ".join(map(str, value)) if several else str("" if value is None else value).strip()


def position(slice_: Dataset) -> np.ndarray | None:
    """Centre of the first pixel, (3,) mm LPS; None if the header does not say it."""
    found = numbers(slice_, "ImagePositionPatient")
    if found and len(found) != 3:
        raise _unusable(slice_, "ImagePositionPatient")
    return np.array(found) if found else None


def axes(slice_: Dataset) -> np.ndarray | None:
    """Directions of a row, of a column and of their normal, in the columns of a (3, 3) array.

    Returns:
        None if the header does not say them.

    Raises:
        InputError: what it says are no two perpendicular directions.
    """
    found = numbers(slice_, "ImageOrientationPatient")
    if not found:
        return None
    row, column = _directions(slice_, found)
    lengths = np.linalg.norm([row, column], axis=1)
    if np.abs(lengths - 1).max() > UNIT or abs(row @ column) > STRAIGHT:
        raise _unusable(slice_, "ImageOrientationPatient")
    normal = np.cross(row, column)
    normal /= np.linalg.norm(normal)
    row = np.cross(column, normal)  # as ITK straightens what decimals have rounded
    row /= np.linalg.norm(row)
    return np.stack([row, np.cross(normal, row), normal], axis=1)


def skew(slice_: Dataset) -> float:
    """Cosine between rows and columns, which should be 0; that of rows that are not said is 0."""
    found = numbers(slice_, "ImageOrientationPatient")
    if not found:
        return 0.0
    row, column = _directions(slice_, found)
    return abs(float(row @ column))


def _directions(slice_: Dataset, found: Sequence[float]) -> np.ndarray:
    """Directions of a row and of a column, (2, 3)."""
    if len(found) != 6:
        raise _unusable(slice_, "ImageOrientationPatient")
    return np.reshape(found, (2, 3))


def pixel_size(slice_: Dataset) -> tuple[float, float] | None:
    """Distance of the columns and of the rows in mm: x before y, unlike in the header.

    ``ImagerPixelSpacing`` and ``NominalScannedPixelSpacing`` hold at the detector or on the film
    and not in the patient: they do not count.

    Returns:
        None if the header does not say it.

    Raises:
        InputError: it is no size.
    """
    found = numbers(slice_, "PixelSpacing")
    if found and (len(found) != 2 or min(found) <= 0):
        raise _unusable(slice_, "PixelSpacing")
    return (found[1], found[0]) if found else None


def _unusable(slice_: Dataset, keyword: str) -> InputError:
    name = getattr(slice_, "filename", "")
    return InputError(f"{name}: its {keyword} cannot be used; export the series anew")
