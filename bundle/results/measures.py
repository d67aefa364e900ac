"""What ``report.json`` says of a registered volume pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import monai
import numpy as np
import SimpleITK as sitk
import torch

from bundle import __version__
from bundle.registration.similarity import mutual_information


def figures(shown: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Measure a result in the head; nothing in it names a patient or a file.

    Args:
        shown: arrays of one shape: ``fixed``, ``start`` and ``warped`` in [0, 1] (moving by the
            start, and by start and field), ``displacement`` (length of the total field, mm),
            ``jacobian`` (its determinant), ``head`` (bool), and ``uncertainty`` (mm) if known.

    Returns:
        versions, similarity before and after, and what the field does to the anatomy.
    """
    head = shown["head"]
    inside = {name: values[head] for name, values in shown.items()}
    pairs = [("start", inside["start"]), ("after", inside["warped"])]
    jacobian = inside["jacobian"]
    found = {
        "versions": {
            "bimsrec": __version__,
            "monai": monai.__version__,
            "torch": torch.__version__,
            "SimpleITK": sitk.Version.VersionString(),
        },
        "mutual_information": {
            name: round(mutual_information(inside["fixed"], values), 6) for name, values in pairs
        },
        "ncc": {name: correlation(inside["fixed"], values) for name, values in pairs},
        "displacement_mm": spread(inside["displacement"]),
        "jacobian": {
            "min": round(float(jacobian.min()), 4),
            "max": round(float(jacobian.max()), 4),
            "folding": round(float((jacobian <= 0).mean()), 6),
        },
    }
    if "uncertainty" in inside:
        found["uncertainty_mm"] = spread(inside["uncertainty"])
    return found


def spread(values: np.ndarray) -> dict[str, float]:
    """Mean, 95th percentile and largest value."""
    mean, high, largest = values.mean(), np.percentile(values, 95), values.max()
    found = {"mean": mean, "p95": high, "max": largest}
    return {name: round(float(value), 4) for name, value in found.items()}


def correlation(fixed: np.ndarray, moving: np.ndarray) -> float | None:
    """Pearson correlation of all voxels; None if either is constant."""
    if np.ptp(fixed) == 0 or np.ptp(moving) == 0:  # a deviation of equal values may be rounded up
        return None
    return round(float(np.corrcoef(fixed.ravel(), moving.ravel())[0, 1]), 6)


def warnings(report: Mapping[str, Any]) -> list[str]:
    """What in a report is suspicious, in plain words."""
    found = []
    if not report["field_kept"] and report["parameters"].get("registration", True):
        found.append("The network's field lowered the mutual information: the start was kept.")
    if report.get("refinement", {}).get("reason"):
        found.append(f"The B-spline step was dropped: {report['refinement']['reason']}.")
    if report["jacobian"]["folding"] > 0:
        found.append("The field folds in places: do not use it to carry labels over.")
    if report["mutual_information"]["after"] < 0.1:
        found.append("The volumes share little information: are they of one patient and region?")
    if report["overlap"] < 0.5:
        found.append("Less than half of the fixed head is covered by the moving volume.")
    if report["displacement_mm"]["max"] > 60:
        found.append("Some displacements exceed 60 mm: check the headers.")
    if report.get("uncertainty_mm", {}).get("p95", 0) > 5:
        found.append("The network's ten fields differ by more than 5 mm in places.")
    return found
