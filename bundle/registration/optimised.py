"""A field in three dimensions by an optimiser, for what the network has not learnt."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter

from bundle.registration.around_head import continued, head_box
from bundle.registration.coarse import CoarsePair, blurred, from_voxels
from bundle.registration.convex_adam import CELL, convex_adam
from bundle.registration.elastic_field import ElasticField

SMOOTHED = 2.0
"""Width in mm of the Gaussian over the field, whose points lie 4 mm apart."""

BLURRED = {"CT": 1.0, "PET": 2.0, "SPECT": 2.0, "MR": 0.0, None: 1.0}
"""Width in mm of the Gaussian over the fixed volume, by modality of the moving one.

Self-similarities of a sharp image are not those of a blurred one: with 2 mm the mean error of PET
and of SPECT falls by a tenth, with 4 mm it rises; CT gains with 1 mm (painted training heads).
"""

NEAR = 4
"""Voxels around the head that count for Adam."""

FEWEST = 2 * CELL + 1
"""Voxels along each axis that the search needs: they reach into a third cell."""


def optimised_field(pair: CoarsePair, modality: str | None = None) -> ElasticField | None:
    """Register the volumes of a pair by self-similarities, without training.

    MIND-SSC features, a coupled convex search and Adam: ConvexAdam (Siebert et al., IEEE TMI 2024).
    Noise around the fixed head does not count: it would be sought all over the moving volume.

    Args:
        pair: the volumes.
        modality: of the moving one.

    Returns:
        the field on the pair's grid, without a spread; None where the volumes are too thin.
    """
    box = head_box(pair)
    part = pair.image[(slice(None), *box)]
    if min(part.shape[1:]) < FEWEST:
        return None
    fixed = blurred(part[:1], BLURRED[modality], pair.spacing)[0].numpy()
    inside = pair.head[0][box].numpy()
    found = _in_whole_cells(fixed * inside, part[1].numpy(), inside)
    if not np.isfinite(found).all():
        return None
    steps = blurred(continued(found, box, pair.image.shape[1:]), SMOOTHED, pair.spacing)
    return ElasticField(from_voxels(steps, pair), None, (), 1.0)


def _in_whole_cells(fixed: np.ndarray, moving: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Search with the outermost voxels repeated until cells are full, (3, H, W, D)."""
    more = [(-count) % CELL for count in fixed.shape]
    around = [(count // 2, count - count // 2) for count in more]
    near = maximum_filter(head, 2 * NEAR + 1)
    found = convex_adam(*(np.pad(one, around, mode="edge") for one in (fixed, moving, near)))
    inside = (slice(first, first + n) for (first, _), n in zip(around, fixed.shape, strict=True))
    return found[(slice(None), *inside)]
