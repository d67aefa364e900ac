"""Smoothing of a displacement field in space where it folds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from bundle.geometry.grid import image_on
from bundle.geometry.jacobian import volume_determinant
from bundle.geometry.region import box_of

LEAST = 0.1
"""Jacobian determinant that a field keeps everywhere."""

WIDER = 1.5
"""Factor of the width of the smoothing from one pass to the next."""

REACH = 4.0
"""Widths around folds within which a field is smoothed."""


def without_folds(field: sitk.Image) -> sitk.Image:
    """Smooth a field where its Jacobian determinant is below ``LEAST``, until it is nowhere.

    Each pass blends a Gaussian mean in around such places, a wider one than the pass before.
    A field without them comes back as it is.

    Args:
        field: ITK displacement field, millimetres, LPS, pull-back.
    """
    width = min(field.GetSpacing())
    while (folds := _folds(field)).any():
        vectors = sitk.GetArrayFromImage(field)
        _smooth_around(vectors, folds, [width / step for step in reversed(field.GetSpacing())])
        field, width = image_on(field, vectors), WIDER * width
    return field


def _folds(field: sitk.Image) -> np.ndarray:
    """Where the determinant is too low, bool (z, y, x)."""
    folds: np.ndarray = sitk.GetArrayFromImage(volume_determinant(field)) < LEAST
    return folds


def _smooth_around(vectors: np.ndarray, folds: np.ndarray, widths: Sequence[float]) -> None:
    """Blend the mean of a Gaussian into (z, y, x, 3) vectors in place, less further from folds."""
    box = box_of(folds, math.ceil(REACH * max(widths)))
    near = gaussian_filter(folds[box].astype(np.float64), widths, truncate=REACH)
    # 1 where a single voxel folds; a narrow Gaussian has its whole weight on its middle voxel
    single = math.prod(math.sqrt(2 * math.pi) * max(width, 0.5) for width in widths)
    share = np.minimum(1.0, single * near)[..., None]
    part = vectors[box]
    vectors[box] = part + share * (gaussian_filter(part, [*widths, 0], truncate=REACH) - part)
