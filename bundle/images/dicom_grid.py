"""Where the slices of a DICOM series lie: by their headers, or as the user states it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset

from bundle.errors import InputError, Remark
from bundle.images.dicom_header import axes, numbers, pixel_size, position, skew
from bundle.images.grid import STATE, straightened_by

ALIKE = 1e-3
"""By which pixel sizes (mm) and direction cosines of the slices of a series may differ."""

GUESSED = Remark(
    "orientation_missing",
    "position or orientation of the slices not stated: taken as axial, with the stated spacing; "
    "left and right, head and feet are a guess",
)


@dataclass(frozen=True)
class Grid:
    """The grid of a stack of slices.

    Attributes:
        spacing: mm along rows, columns and slices.
        axes: (3, 3), LPS, a direction in each column.
        places: (n, 3), mm, LPS, centre of the first pixel of each slice.
        remarks: what had to be stated, or straightened.
    """

    spacing: tuple[float, float, float]
    axes: np.ndarray
    places: np.ndarray
    remarks: tuple[Remark, ...] = ()


def in_order(files: Sequence[Dataset]) -> tuple[Dataset, ...]:
    """Along the normal; what has no usable positions by its number, or as its file is named."""
    try:
        directions = axes(files[0])
        places = [position(one) for one in files]
    except InputError:  # grid_of says so, if this series is the one that is read
        return tuple(files)
    normal = np.array([0.0, 0.0, 1.0]) if directions is None else directions[:, 2]
    along = [float(place @ normal) for place in places if place is not None]
    if len(along) < len(files):
        along = [_number(one) for one in files]
    return tuple(files[k] for k in np.argsort(along, kind="stable"))


def grid_of(
    folder: Path, slices: Sequence[Dataset], spacing: Sequence[float] | None = None
) -> Grid:
    """The grid of slices that lie in their order.

    Args:
        folder: named in errors.
        slices: one or more.
        spacing: mm along rows, columns and slices; counts where the headers do not say it.

    Raises:
        InputError: slices have different sizes, pixel sizes or orientations, or the headers lack
            what is not stated.
    """
    _common(folder, "sizes", slices, _size)
    pixel = _common(folder, "pixel sizes", slices, pixel_size)
    if pixel is None:
        if spacing is None:
            raise InputError(f"{folder}: its headers lack the pixel size (PixelSpacing); {STATE}")
        pixel = spacing[:2]
    directions = _common(folder, "orientations", slices, axes)
    places = [position(one) for one in slices]
    nowhere = len(slices) > 1 and any(place is None for place in places)
    if stated := directions is None or nowhere:
        lacking = "ImageOrientationPatient" if directions is None else "ImagePositionPatient"
        if spacing is None:
            raise InputError(
                f"{folder}: its headers do not say where the slices lie ({lacking}); export the "
                f"series anew, or, if they are axial, {STATE}"
            )
        directions = np.eye(3)
    if nowhere:
        assert spacing is not None
        places = [np.array([0.0, 0.0, k * spacing[2]]) for k in range(len(slices))]
    known = np.array([np.zeros(3) if place is None else place for place in places])
    length = abs(float((known[-1] - known[0]) @ directions[:, 2]))
    step = length / max(len(slices) - 1, 1) or 1.0
    remarks = (
        [GUESSED]
        if stated
        else straightened_by(max(map(skew, slices)) * pixel[0] * _size(slices[0])[1])
    )
    return Grid((float(pixel[0]), float(pixel[1]), step), directions, known, tuple(remarks))


def _size(slice_: Dataset) -> tuple[float, float]:
    """Rows and columns."""
    found = [(numbers(slice_, keyword) or [0.0])[0] for keyword in ("Rows", "Columns")]
    return found[0], found[1]


def _number(slice_: Dataset) -> float:
    try:
        return (numbers(slice_, "InstanceNumber") or [0.0])[0]
    except InputError:
        return 0.0


def _common(
    folder: Path, what: str, slices: Sequence[Dataset], read: Callable[[Dataset], Any]
) -> Any:
    """What all slices say alike; None if none of them says anything."""
    first = read(slices[0])
    for number, slice_ in enumerate(slices, start=1):
        one = read(slice_)
        missing = (one is None) != (first is None)
        if missing or (first is not None and not np.allclose(one, first, atol=ALIKE, rtol=0)):
            raise InputError(
                f"{folder}: slices 1 and {number} have different {what}; export the one series "
                "that is meant"
            )
    return first
