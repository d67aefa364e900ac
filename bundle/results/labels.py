"""Means of the moving volume in the labels of the fixed one, before and after registration."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.geometry.transform import as_transform, field_transform
from bundle.registration import VolumeRegistration
from bundle.results.units import shown_unit

DIGITS = 6
"""Significant digits of a mean."""


@dataclass(frozen=True)
class LabelMean:
    """The moving volume in one label.

    Attributes:
        label: its number.
        volume_ml: of the label, in the fixed volume.
        covered: share of it that the registered moving volume covers.
        headers: mean where the headers alone put the label; None where nothing is measured.
        start: mean where the linear start puts it.
        registered: mean where the whole transform puts it.
        unit: of the means.
    """

    label: int
    volume_ml: float
    covered: float
    headers: float | None
    start: float | None
    registered: float | None
    unit: str


def label_means(registration: VolumeRegistration) -> list[LabelMean]:
    """Measure all labels but 0; [] without a label map.

    Values are those of the moving volume, interpolated linearly; of PET they are standardised
    uptake values where its header says what these need.
    """
    pair = registration.pair
    if pair.labels is None:
        return []
    factor, unit = shown_unit(pair)
    mappings = {
        "headers": sitk.Transform(3, sitk.sitkIdentity),
        "start": as_transform(registration.initial.start),
        "registered": field_transform(registration.field),
    }
    array = sitk.GetArrayViewFromImage(pair.labels)
    inside = array > 0
    labels, numbers, counts = np.unique(array[inside], return_inverse=True, return_counts=True)
    voxel = float(np.prod(pair.labels.GetSpacing())) / 1000
    means = {}
    for name, mapping in mappings.items():
        values = _measured(pair.moving.image, pair.labels, mapping)[inside]
        known = np.isfinite(values)
        covered = np.bincount(numbers[known], minlength=len(labels))
        sums = factor * np.bincount(numbers[known], values[known], minlength=len(labels))
        means[name] = [_mean(one, n) for one, n in zip(sums, covered, strict=True)]
    return [
        LabelMean(
            label=int(label),
            volume_ml=round(float(counts[k]) * voxel, 4),
            covered=round(float(covered[k] / counts[k]), 4),  # by the last mapping
            **{name: found[k] for name, found in means.items()},
            unit=unit,
        )
        for k, label in enumerate(labels)
    ]


def write_labels(means: Sequence[LabelMean], path: Path) -> None:
    """Write the table as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [one.name for one in fields(LabelMean)])
        writer.writeheader()
        writer.writerows(asdict(one) for one in means)


def _measured(moving: sitk.Image, grid: sitk.Image, mapping: sitk.Transform) -> np.ndarray:
    """The moving volume on the grid, NaN outside of it."""
    found = sitk.Resample(moving, grid, mapping, sitk.sitkLinear, float("nan"), sitk.sitkFloat64)
    return sitk.GetArrayFromImage(found)


def _mean(total: float, count: int) -> float | None:
    return float(f"{total / count:.{DIGITS}g}") if count else None
