"""The tissues of the maps, and what is added to them before painting."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from scipy.ndimage import uniform_filter

from bundle.training.heads.smooth import smooth_field


class Tissue(IntEnum):
    """Values of the maps; those above ``VEIN`` are added by :func:`varied`."""

    BACKGROUND = 0
    CSF = 1
    VENTRICLE = 2
    CORTEX = 3
    WHITE_MATTER = 4
    THALAMUS = 5
    CAUDATE = 6
    PUTAMEN = 7
    PALLIDUM = 8
    HIPPOCAMPUS = 9
    CEREBELLAR_CORTEX = 10
    CEREBELLAR_WHITE = 11
    BRAIN_STEM = 12
    CHOROID = 13
    BONE = 14
    MARROW = 15
    SOFT = 16
    SKIN = 17
    EYE = 18
    MUCOSA = 19
    CORD = 20
    VEIN = 21
    FAT = 22
    LESION = 23


BRAIN = (Tissue.VENTRICLE, Tissue.CHOROID)
"""The first and the last tissue of the brain without the liquid around it."""

_LONE = 0.3  # of the voxels around: with less head among them a voxel is speckle
_RIM = 13  # voxels, of the cube in which the share of head tells how deep a voxel lies
_SHALLOW = (0.72, 0.92)  # share of head in the cube, below it soft tissue is fat
_SHEET_WIDTH = (9.0, 16.0)  # mm, of the muscles between sheets of fat
_SHEETS = (0.04, 0.18)  # half thickness of the sheets, in deviations of the field
_LESIONS = 0.35  # of the heads have one
_LESION_RADIUS = (4.0, 18.0)  # mm


def varied(labels: np.ndarray, rng: np.random.Generator, spacing: Sequence[float]) -> np.ndarray:
    """Clear speckle around the head, tell fat from soft tissue, and now and then add a lesion.

    What the two images of a pair share: paint both from the result.

    Args:
        labels: uint8 (D, H, W) of :class:`Tissue`.
        rng: where the fat and the lesion are drawn from.
        spacing: mm per slice, row and column.

    Returns:
        a new map, the same shape.
    """
    labels = labels.copy()
    head = (labels > 0).astype(np.float32)
    labels[uniform_filter(head, 5, mode="nearest") < _LONE] = Tissue.BACKGROUND
    field = smooth_field(labels.shape, rng.uniform(*_SHEET_WIDTH), rng, spacing)
    share = uniform_filter(head, _RIM, mode="nearest") + np.float32(0.05) * field
    fat = (share < rng.uniform(*_SHALLOW)) | (np.abs(field) < rng.uniform(*_SHEETS))
    labels[fat & (labels == Tissue.SOFT)] = Tissue.FAT
    if rng.uniform() < _LESIONS:
        _add_lesion(labels, rng, spacing)
    return labels


def _add_lesion(labels: np.ndarray, rng: np.random.Generator, spacing: Sequence[float]) -> None:
    """A lump around a voxel of the brain in the middle third of the slices."""
    brain = (labels >= BRAIN[0]) & (labels <= BRAIN[1])
    third = len(labels) // 3
    places = np.argwhere(brain[third : len(labels) - third])
    if len(places) == 0:
        return
    middle = places[rng.integers(len(places))] + [third, 0, 0]
    radii = rng.uniform(*_LESION_RADIUS) * rng.uniform(0.6, 1.0, 3)
    box = tuple(
        slice(max(0, int(m - 1.6 * r / s)), min(n, int(m + 1.6 * r / s) + 2))
        for n, m, r, s in zip(labels.shape, middle, radii, spacing, strict=True)
    )
    part = labels[box]
    axes = np.ogrid[box]
    parts = zip(axes, middle, radii, spacing, strict=True)
    away = sum(((axis - m) * s / r) ** 2 for axis, m, r, s in parts)
    rough = smooth_field(part.shape, float(radii.min()), rng, spacing)
    inside = (np.sqrt(away) + 0.2 * rough < 1) & brain[box]
    part[inside] = Tissue.LESION
