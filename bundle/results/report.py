"""What is known of a registered pair: measures, notes and warnings."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import monai
import numpy as np
import SimpleITK as sitk
import torch

from bundle import __version__
from bundle.domain import Range
from bundle.errors import Remark
from bundle.images.suv import Suv
from bundle.registration.similarity import chunks, mutual_information
from bundle.results.labels import LabelMean

USED = 0.95
"""Share of the head in which a field is used without a note."""

UNCERTAIN = 5.0
"""Millimetres of uncertainty without a warning; the page's scale."""

LITTLE_INFORMATION = 0.1
"""Nats of mutual information below which two images may not belong together."""

HALF = 0.5
"""Of the fixed head: what the moving volume has to cover without a warning."""

FAR = 60.0
"""Millimetres of displacement without a warning."""


@dataclass(frozen=True)
class Statistics:
    """Mean, 95th percentile and largest value."""

    mean: float
    p95: float
    max: float


@dataclass(frozen=True)
class Change:
    """A measure of similarity by the start alone and after registration; None where undefined."""

    start: float | None
    after: float | None


@dataclass(frozen=True)
class Determinant:
    """Jacobian determinant of the mapping: extremes, and the share that folds (0 or less)."""

    min: float
    max: float
    folding: float


@dataclass(frozen=True)
class Report:
    """What is known of a result; nothing in it names a patient or a file.

    Attributes:
        modality: of the moving image, if it is known.
        parameters: what the run was set to.
        unit: of displacements: ``mm`` for volumes, ``px`` for pictures.
        mutual_information: in the head, nats.
        ncc: Pearson correlation in the head.
        displacement: length of the total displacement in the head.
        jacobian: of the total mapping in the head.
        field_kept: whether the elastic field is part of the result.
        field_used: share of the fixed head in which it is; volumes only.
        seconds: from reading to the fusion.
        start: (4, 4), millimetres, LPS, fixed to moving points; volumes only.
        overlap: share of the fixed head that the moving volume covers; volumes only.
        display: values of ``fixed`` and ``moving`` shown as 0 and 1; volumes only.
        uncertainty: of the displacement in the head, mm.
        refinement: what became of the B-spline step.
        suv: of PET, how values become standardised uptake values, where the header says it.
        labels: means of the moving volume in the labels of the fixed one, if there are any.
        notes: information.
        warnings: what a person should look at.
    """

    modality: str | None
    parameters: Mapping[str, Any]
    unit: str
    mutual_information: Change
    ncc: Change
    displacement: Statistics
    jacobian: Determinant
    field_kept: bool
    seconds: float
    start: list[list[float]] | None = None
    overlap: float | None = None
    field_used: float | None = None
    display: Mapping[str, Range] | None = None
    uncertainty: Statistics | None = None
    refinement: Mapping[str, Any] = field(default_factory=lambda: {"method": "none"})
    suv: Suv | None = None
    labels: tuple[LabelMean, ...] = ()
    notes: tuple[Remark, ...] = ()
    warnings: tuple[Remark, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The content of ``report.json``."""
        uncertainty = self.uncertainty and {"uncertainty_mm": asdict(self.uncertainty)}
        return {
            "modality": self.modality,
            "parameters": dict(self.parameters),
            "start": self.start,
            "overlap": self.overlap,
            "field_kept": self.field_kept,
            "field_used": self.field_used,
            "refinement": dict(self.refinement),
            "versions": versions(),
            "mutual_information": asdict(self.mutual_information),
            "ncc": asdict(self.ncc),
            f"displacement_{self.unit}": asdict(self.displacement),
            "jacobian": asdict(self.jacobian),
            **(uncertainty or {}),
            "display": self.display and {side: list(w) for side, w in self.display.items()},
            **({"suv": asdict(self.suv)} if self.suv else {}),
            **({"labels": [asdict(one) for one in self.labels]} if self.labels else {}),
            "seconds": self.seconds,
            "warnings": [{"code": one.code, "text": one.text} for one in self.warnings],
            "notes": [{"code": one.code, "text": one.text} for one in self.notes],
            "suspicious": [one.text for one in self.warnings],
        }


def versions() -> dict[str, str]:
    """Of what the result depends on."""
    return {
        "bimsrec": __version__,
        "monai": monai.__version__,
        "torch": torch.__version__,
        "SimpleITK": sitk.Version.VersionString(),
    }


def facts(report: Report, began: float) -> dict[str, str]:
    """What a page says of a run; no file's and no patient's name.

    Args:
        report: of the run.
        began: seconds since the epoch.
    """
    return {
        "modality": f"{report.modality or 'unknown'} onto MRI",
        "date": time.strftime("%Y-%m-%d", time.localtime(began)),
        "version": __version__,
    }


def rounded(value: float | None, digits: int) -> str:
    """A measure for people, or ``-`` where it is undefined."""
    return "-" if value is None else f"{value:.{digits}f}"


def change(fixed: np.ndarray, start: np.ndarray, warped: np.ndarray) -> tuple[Change, Change]:
    """Mutual information and correlation of the voxels of a head, before and after.

    Args:
        fixed: (N,), in [0, 1].
        start: (N,), the moving image by the start.
        warped: (N,), the moving image by start and field.
    """
    information = [round(mutual_information(fixed, one), 6) for one in (start, warped)]
    return Change(*information), Change(*(correlation(fixed, one) for one in (start, warped)))


def statistics(values: np.ndarray) -> Statistics:
    """Of any number of values."""
    found = values.mean(), np.percentile(values, 95), values.max()
    return Statistics(*(round(float(value), 4) for value in found))


def determinant(values: np.ndarray) -> Determinant:
    """Of the voxels of a head."""
    folding = round(float((values <= 0).mean()), 6)
    return Determinant(round(float(values.min()), 4), round(float(values.max()), 4), folding)


def correlation(fixed: np.ndarray, moving: np.ndarray) -> float | None:
    """Pearson correlation of all voxels; None if either is constant."""
    if np.ptp(fixed) == 0 or np.ptp(moving) == 0:  # a deviation of equal values may be rounded up
        return None
    means = fixed.mean(dtype=np.float64), moving.mean(dtype=np.float64)
    products = np.zeros((2, 2))
    for parts in chunks(fixed, moving):
        away = np.stack([part - mean for part, mean in zip(parts, means, strict=True)])
        products += away @ away.T
    return round(float(products[0, 1] / np.sqrt(products[0, 0] * products[1, 1])), 6)


def result_remarks(report: Report) -> list[Remark]:
    """What is to be said of a result, in plain words; nearly all of it warns."""
    found = []
    if not report.field_kept and not report.parameters.get("rigid_only"):
        text = (
            "The elastic field did not raise the mutual information above that of the linear "
            "start by 2 %: it is not used."
        )
        found.append(Remark("field_dropped", text, warning=False))
    if report.field_kept and report.field_used is not None and report.field_used < USED:
        text = (
            f"In {100 * (1 - report.field_used):.0f} % of the head the elastic field lowered the "
            "mutual information: there it is not used."
        )
        found.append(Remark("field_partly_dropped", text, warning=False))
    if report.refinement.get("reason"):
        text = f"The B-spline step was dropped: {report.refinement['reason']}."
        found.append(Remark("bspline_dropped", text))
    if report.jacobian.folding > 0:
        text = "The field folds in places: do not use it to carry labels over."
        found.append(Remark("folding", text))
    if (report.mutual_information.after or 0.0) < LITTLE_INFORMATION:
        text = "The images share little information: are they of one patient and region?"
        found.append(Remark("little_information", text))
    if report.overlap is not None and report.overlap < HALF:
        text = "Less than half of the fixed head is covered by the moving volume."
        found.append(Remark("little_overlap", text))
    if report.unit == "mm" and report.displacement.max > FAR:
        text = f"Some displacements exceed {FAR:.0f} mm: check the headers."
        found.append(Remark("large_displacement", text))
    if report.uncertainty is not None and report.uncertainty.p95 > UNCERTAIN:
        text = f"The uncertainty of the displacement is above {UNCERTAIN:.0f} mm in places."
        found.append(Remark("uncertain", text))
    return found
