"""A field in three dimensions by an optimiser, for what the network has not learnt."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from bundle.registration.box_means import Functions
from bundle.registration.coarse import CoarsePair, box_of, from_voxels
from bundle.registration.elastic_field import ElasticField

SMOOTHED = 2.0
"""Width in mm of the Gaussian over the field, whose points lie 4 mm apart."""

ROOM = 10
"""Voxels around the head that are registered; beyond them the outermost displacements go on."""

CELL = 6
"""Voxels along each side of a cell of the search, which leaves out what fills no whole one."""

FEWEST = 2 * CELL + 1
"""Voxels along each axis that the search needs: they reach into a third cell."""


def optimised_field(pair: CoarsePair) -> ElasticField | None:
    """Register the volumes of a pair by self-similarities, without training.

    MIND-SSC features, a coupled convex search and Adam: ConvexAdam (Siebert et al., IEEE TMI 2024)
    by its authors' package, with its own settings, which are meant for voxels of about 2 mm.

    Args:
        pair: the volumes.

    Returns:
        the field on the pair's grid, without a spread; None where the volumes are too thin.
    """
    box = box_of(pair.head[0].numpy(), ROOM)
    part = pair.image[(slice(None), *box)]
    if min(part.shape[1:]) < FEWEST:
        return None
    steps = np.moveaxis(_in_whole_cells(part), -1, 0)
    if not np.isfinite(steps).all():
        return None
    for axis, (side, count) in enumerate(zip(box, pair.image.shape[1:], strict=True), 1):
        places = np.arange(count).clip(side.start, side.stop - 1) - side.start
        steps = steps.take(places, axis=axis)
    widths = [SMOOTHED / step for step in pair.spacing]
    smooth = np.stack([gaussian_filter(one, widths, mode="nearest") for one in steps])
    return ElasticField(from_voxels(smooth, pair), None, (), 1.0)


def _in_whole_cells(part: torch.Tensor) -> np.ndarray:
    """Search with the outermost voxels repeated until cells are full, (H, W, D, 3)."""
    more = [(-count) % CELL for count in part.shape[1:]]
    around = [(count // 2, count - count // 2) for count in more]
    found = convex_adam(*(np.pad(one, around, mode="edge") for one in part))
    inside = [slice(first, first + n) for (first, _), n in zip(around, part.shape[1:], strict=True)]
    return found[tuple(inside)]


def convex_adam(fixed: np.ndarray, moving: np.ndarray, **settings: Any) -> np.ndarray:
    """Displacements (..., 3) in voxels, in the order of the axes, pull-back.

    Args:
        fixed: (H, W, D).
        moving: the same shape.
        **settings: of the package's ``convex_adam_pt``.
    """
    # the package silences all warnings as it is imported, and needs gradients
    with warnings.catch_warnings(), torch.inference_mode(False), torch.enable_grad():
        from convexAdam import convex_adam_MIND, convex_adam_utils

        convex_adam_MIND.F = convex_adam_utils.F = Functions()
        warnings.simplefilter("ignore")  # torch's notes on its own defaults

        found: np.ndarray = convex_adam_MIND.convex_adam_pt(
            fixed, moving, dtype=torch.float32, device=torch.device("cpu"), **settings
        )
    return found
