"""What ``report.json`` says of a registered volume pair."""

from __future__ import annotations

from typing import Any

import monai
import numpy as np
import SimpleITK as sitk
import torch

from bundle import __version__
from bundle.volumes.consistency import mean_jump
from bundle.volumes.similarity import mutual_information


def figures(
    image: torch.Tensor,
    warped: torch.Tensor,
    field: sitk.Image,
    jacobian: np.ndarray,
    ddf: torch.Tensor,
) -> dict[str, Any]:
    """Measure a result; nothing in it names a patient or a file.

    Args:
        image: (2, H, W, D) in [0, 1], fixed and moving by the start.
        warped: (1, H, W, D) in [0, 1], moving by start and field, as ``image``.
        field: total ITK displacement field, millimetres.
        jacobian: its Jacobian determinant, any shape.
        ddf: the network's part, (2, H, W, D), voxels, in-plane.

    Returns:
        versions, similarity before and after, and what the field does to the anatomy.
    """
    fixed, start, after = (x.numpy() for x in (image[0], image[1], warped[0]))
    length = np.linalg.norm(sitk.GetArrayViewFromImage(field), axis=-1)
    return {
        "versions": {
            "bimsrec": __version__,
            "monai": monai.__version__,
            "torch": torch.__version__,
        },
        "mutual_information": {
            "start": round(mutual_information(fixed, start), 6),
            "after": round(mutual_information(fixed, after), 6),
        },
        "ncc": {"start": correlation(fixed, start), "after": correlation(fixed, after)},
        "field_kept": bool((ddf != 0).any()),
        "displacement_mm": {
            "mean": round(float(length.mean()), 4),
            "max": round(float(length.max()), 4),
        },
        "jacobian": {
            "min": round(float(jacobian.min()), 4),
            "max": round(float(jacobian.max()), 4),
            "folding": round(float((jacobian <= 0).mean()), 6),
        },
        "jump_between_slices_voxels": round(mean_jump(ddf[None]), 4),
    }


def correlation(fixed: np.ndarray, moving: np.ndarray) -> float | None:
    """Pearson correlation of all voxels; None if either is constant."""
    if fixed.std() == 0 or moving.std() == 0:
        return None
    return round(float(np.corrcoef(fixed.ravel(), moving.ravel())[0, 1]), 6)


def warnings(report: dict[str, Any]) -> list[str]:
    """What in a report is suspicious, in plain words."""
    found = []
    if not report["field_kept"]:
        found.append("The network's field lowered the mutual information: the start was kept.")
    if report["jacobian"]["folding"] > 0:
        found.append("The field folds in places: do not use it to carry labels over.")
    if report["mutual_information"]["after"] < 0.1:
        found.append("The volumes share little information: are they of one patient and region?")
    if report["overlap"] < 0.5:
        found.append("Less than half of the fixed volume is covered by the moving one.")
    if report["displacement_mm"]["max"] > 60:
        found.append("Some displacements exceed 60 mm: check the headers.")
    return found
