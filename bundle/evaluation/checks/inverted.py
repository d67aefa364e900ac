"""How much of a head a registration and its inverse bring back to where it was."""

from __future__ import annotations

import SimpleITK as sitk

from bundle.geometry.slices import from_slices
from bundle.geometry.transform import displacement_field
from bundle.registration import VolumeRegistration

CLOSE = 0.1
"""Distance in mm from where a point was at which it counts as brought back."""

STRIDE = 3
"""Of so many voxels along each axis one counts: where they are smaller than those of the written
field, most of them lie between its points."""


def inverted_share(found: VolumeRegistration) -> float:
    """Share of the fixed head that the written transform and then its inverse bring back.

    Args:
        found: a registered pair.

    Returns:
        0 to 1.
    """
    grid = found.pair.fixed.image
    head = from_slices(found.initial.head, grid, found.pair.plane) > 0
    few = (slice(None, None, STRIDE),) * 3
    both = sitk.CompositeTransform([found.mapping.backward, found.mapping.forward])
    moved = sitk.VectorMagnitude(displacement_field(both, grid[few]))
    inside = sitk.GetArrayFromImage(head[few]) > 0
    return float((sitk.GetArrayFromImage(moved)[inside] <= CLOSE).mean())
