"""Values of a volume as the whole numbers that DICOM stores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bundle.images.dicom_write import decimals

LARGEST = 32767
"""Stored value of 16 bits with a sign."""


@dataclass(frozen=True)
class Stored:
    """Values = pixels * slope + intercept.

    Attributes:
        pixels: int16 or uint16, little endian, (n, rows, columns).
        slopes: per slice, as the header says them.
        intercept: of all slices.
    """

    pixels: np.ndarray
    slopes: list[str]
    intercept: str = "0"


def whole_steps(values: np.ndarray) -> Stored:
    """Rounded to whole units, as scanners store Hounsfield units and counts."""
    pixels = np.rint(np.clip(values, -LARGEST - 1, LARGEST)).astype("<i2")
    return Stored(pixels, ["1"] * len(values))


def equal_steps(values: np.ndarray) -> Stored:
    """In 65535 equal steps from the lowest to the highest value."""
    lower, upper = float(values.min()), float(values.max())
    (slope, intercept) = decimals([(upper - lower) / (2 * LARGEST + 1) or 1.0, lower])
    steps = np.rint((values - float(intercept)) / float(slope))
    pixels = np.clip(steps, 0, 2 * LARGEST + 1).astype("<u2")
    return Stored(pixels, [slope] * len(values), intercept)


def steps_of_slices(values: np.ndarray) -> Stored:
    """Each slice in steps of its own from 0, as PET is stored."""
    slopes = decimals(np.abs(one).max() / LARGEST or 1.0 for one in values)
    pixels = [
        np.clip(np.rint(one / float(slope)), -LARGEST, LARGEST)
        for one, slope in zip(values, slopes, strict=True)
    ]
    return Stored(np.stack(pixels).astype("<i2"), slopes)
