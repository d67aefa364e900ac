"""How well two heads match under a linear placement: what the search for the start raises."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from bundle.geometry.transform import as_transform
from bundle.registration.similarity import mutual_information
from bundle.registration.start_volume import StartVolume

BEYOND = -1.0
"""Stands for no value: those of both volumes are 0 and more."""


def similarity(fixed: StartVolume, moving: StartVolume, matrix: np.ndarray) -> float:
    """Mutual information of what both volumes show, times the share of the head that both show.

    Background in place of what the moving volume does not show would match air, and draw one that
    shows a part of the head off its place; the mutual information of the shared part alone can be
    raised by moving one off the head. The share draws a thin slab to where the head is wider, by a
    part of a slice.

    Args:
        fixed: the reference volume; its head counts, which is not empty.
        moving: the volume to register.
        matrix: (4, 4), millimetres, LPS, fixed to moving points.

    Returns:
        nats, 0 and more.
    """
    placed = as_transform(matrix)
    resampled = sitk.Resample(moving.image, fixed.image, placed, sitk.sitkLinear, BEYOND)
    head = sitk.GetArrayViewFromImage(fixed.head) > 0
    values = sitk.GetArrayViewFromImage(resampled)[head]
    both = values > BEYOND / 2
    if not both.any():
        return 0.0
    information = mutual_information(
        sitk.GetArrayViewFromImage(fixed.image)[head][both], values[both]
    )
    return information * float(both.mean())
