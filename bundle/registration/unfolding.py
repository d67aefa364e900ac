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

LEAST = 0.3
"""Jacobian determinant that a field in space keeps everywhere. With 0.1 fields are no nearer to the
truth, but where one is that steep its inverse is not exact on voxels of 2 mm."""

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
    folds, width = _folds(field), min(field.GetSpacing())
    if not folds.any():
        return field
    vectors = sitk.GetArrayFromImage(field)
    while folds.any():
        widths = [width / step for step in reversed(field.GetSpacing())]
        _smooth_around(vectors, folds, widths)
        _look_again(folds, vectors, field, math.ceil(REACH * max(widths)))
        width *= WIDER
    return image_on(field, vectors)


def _folds(field: sitk.Image) -> np.ndarray:
    """Where the determinant is too low, bool (z, y, x)."""
    folds: np.ndarray = sitk.GetArrayFromImage(volume_determinant(field)) < LEAST
    return folds


def _look_again(folds: np.ndarray, vectors: np.ndarray, grid: sitk.Image, reach: int) -> None:
    """Find the folds again within so many voxels of those before, where the vectors changed."""
    changed = box_of(folds, reach + 1)
    seen = box_of(folds, reach + 2)  # a determinant takes the voxels beside its own
    around = _folds(image_on(grid[seen[::-1]], vectors[seen]))
    inner = tuple(
        slice(part.start - whole.start, part.stop - whole.start)
        for part, whole in zip(changed, seen, strict=True)
    )
    folds[changed] = around[inner]


def _smooth_around(vectors: np.ndarray, folds: np.ndarray, widths: Sequence[float]) -> None:
    """Blend the mean of a Gaussian into (z, y, x, 3) vectors in place, less further from folds."""
    box = box_of(folds, math.ceil(REACH * max(widths)))
    near = gaussian_filter(folds[box].astype(np.float64), widths, truncate=REACH)
    # 1 where a single voxel folds; a narrow Gaussian has its whole weight on its middle voxel
    single = math.prod(math.sqrt(2 * math.pi) * max(width, 0.5) for width in widths)
    share = np.minimum(1.0, single * near)[..., None]
    part = vectors[box]
    vectors[box] = part + share * (gaussian_filter(part, [*widths, 0], truncate=REACH) - part)
