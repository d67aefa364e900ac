"""What the text headers of NRRD and MetaImage files have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bundle.errors import InputError, Remark
from bundle.images.grid import STATE

NO_ORIENTATION = Remark(
    "orientation_missing", "orientation not stated: left and right are a guess; set it"
)

NO_PLACE = Remark(
    "position_missing", "does not say where it lies: its first voxel is taken to be at 0, 0, 0"
)

UNITS = {"": 1.0, "mm": 1.0, "millimeter": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "μm": 0.001}
"""Millimetres per unit of length, by its name."""

LONGEST_HEADER = 2**20
"""Bytes at the start of a file in which its header ends."""


def damaged_header(name: str, field: str) -> InputError:
    """What is said of a field that is missing or makes no sense."""
    return InputError(f"{name}: its header lacks a usable {field!r}, or is damaged; export it anew")


def numbers(name: str, field: str, text: str, count: int) -> np.ndarray:
    """So many finite numbers out of a text.

    Raises:
        InputError: they are others.
    """
    try:
        values = np.array(text.split(), dtype=np.float64)
    except ValueError as error:
        raise damaged_header(name, field) from error
    if len(values) != count or not np.isfinite(values).all():
        raise damaged_header(name, field)
    return values


def lengths(name: str, field: str, text: str, count: int) -> tuple[int, ...]:
    """So many voxels along each axis.

    Raises:
        InputError: they are no positive whole numbers.
    """
    values = numbers(name, field, text, count)
    if (values < 1).any() or (values % 1).any() or (values > 2**31).any():
        raise damaged_header(name, field)
    return tuple(int(value) for value in values)


def sizes_or_stated(
    name: str, sizes: np.ndarray | None, spacing: Sequence[float] | None
) -> np.ndarray:
    """Voxel sizes (3,), mm: those of the header, or those that the user states.

    Raises:
        InputError: neither says them, or they are no sizes.
    """
    if sizes is None:
        if spacing is None:
            raise InputError(f"{name}: does not say how large its voxels are; {STATE}")
        return np.array(spacing, dtype=np.float64)
    if not (sizes > 0).all():
        raise InputError(f"{name}: has voxels of {' x '.join(f'{s:g}' for s in sizes)}; correct it")
    return sizes


def beside(path: Path, other: str) -> Path:
    """The file that a header names: beside it, or at the path that is given.

    Raises:
        InputError: there is no such file.
    """
    found = path.parent / other
    try:
        there = found.is_file()
    except OSError:  # of a name that no file can have
        there = False
    if not there:
        raise InputError(f"{path}: its data are to be in {found}, but there is no such file")
    return found
