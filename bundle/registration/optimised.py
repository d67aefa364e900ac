"""A field in three dimensions by an optimiser, for what the network has not learnt."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from bundle.registration.coarse import CoarsePair, box_of, from_voxels
from bundle.registration.convex_adam import convex_adam
from bundle.registration.elastic_field import ElasticField

SMOOTHED = 2.0
"""Width in mm of the Gaussian over the field, whose points lie 4 mm apart."""

ROOM = 6
"""Voxels around the head that are registered; beyond them the outermost displacements go on."""

BLURRED = {"CT": 1.0, "PET": 2.0, "SPECT": 2.0, "MR": 0.0, None: 1.0}
"""Width in mm of the Gaussian over the fixed volume, by modality of the moving one.

Self-similarities of a sharp image are not those of a blurred one: with 2 mm the mean error of PET
and of SPECT falls by a tenth, with 4 mm it rises; CT gains with 1 mm (painted training heads).
"""

CELL = 6
"""Voxels along each side of a cell of the search, which leaves out what fills no whole one."""

STEPS = 60
"""Of Adam, of the package's 80: the last ones change little (measured on painted heads)."""

FEWEST = 2 * CELL + 1
"""Voxels along each axis that the search needs: they reach into a third cell."""


def optimised_field(pair: CoarsePair, modality: str | None = None) -> ElasticField | None:
    """Register the volumes of a pair by self-similarities, without training.

    MIND-SSC features, a coupled convex search and Adam: ConvexAdam (Siebert et al., IEEE TMI 2024)
    by its authors' package, with its own settings but for ``STEPS``, for voxels of about 2 mm.
    Noise around the fixed head does not count: it would be sought all over the moving volume.

    Args:
        pair: the volumes.
        modality: of the moving one.

    Returns:
        the field on the pair's grid, without a spread; None where the volumes are too thin.
    """
    box = box_of(pair.head[0].numpy(), ROOM)
    part = pair.image[(slice(None), *box)]
    if min(part.shape[1:]) < FEWEST:
        return None
    widths = [BLURRED[modality] / step for step in pair.spacing]
    fixed = torch.from_numpy(gaussian_filter(part[0].numpy(), widths))
    part = torch.stack([fixed * pair.head[0][box], part[1]])
    found = np.moveaxis(_in_whole_cells(part), -1, 0)
    if not np.isfinite(found).all():
        return None
    beyond = [
        (side.start, count - side.stop)
        for side, count in zip(box, pair.image.shape[1:], strict=True)
    ]
    steps = np.pad(found, [(0, 0), *beyond], mode="edge")
    widths = [SMOOTHED / step for step in pair.spacing]
    smooth = np.stack([gaussian_filter(one, widths, mode="nearest") for one in steps])
    return ElasticField(from_voxels(smooth, pair), None, (), 1.0)


def _in_whole_cells(part: torch.Tensor) -> np.ndarray:
    """Search with the outermost voxels repeated until cells are full, (H, W, D, 3)."""
    more = [(-count) % CELL for count in part.shape[1:]]
    around = [(count // 2, count - count // 2) for count in more]
    found = convex_adam(*(np.pad(one, around, mode="edge") for one in part), selected_niter=STEPS)
    inside = [slice(first, first + n) for (first, _), n in zip(around, part.shape[1:], strict=True)]
    return found[tuple(inside)]
