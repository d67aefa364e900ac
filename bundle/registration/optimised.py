"""A field in three dimensions by an optimiser, for what the network has not learnt."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from scipy.ndimage import gaussian_filter

from bundle.registration.box_means import Functions
from bundle.registration.coarse import CoarsePair, vectors, without_folds
from bundle.registration.elastic_field import ElasticField

SMOOTHED = 2.0
"""Width in mm of the Gaussian over the field, whose points lie 4 mm apart."""

ROOM = 10
"""Voxels around the head that are registered; beyond them the outermost displacements go on."""

FEWEST = 18
"""Voxels along each axis that the search needs."""

WEIGHTS = {
    "CT": (0.4, 0.8),
    "PET": (0.75, 0.6),
    "SPECT": (1.1, 0.35),
    "MR": (0.2, 0.8),
    None: (0.5, 0.5),
}
"""Weights of the network's and of the optimiser's field in their sum, by modality.

Where the images say little both fall short of the true displacement, the network by half in PET: so
the weights sum to more than 1. About those of least squares over 53 painted training heads for each
of CT, PET and SPECT; of MR as measured on heads 15 and 16.
"""


def optimised_field(pair: CoarsePair) -> ElasticField | None:
    """Register the volumes of a pair by self-similarities, without training.

    MIND-SSC features, a coupled convex search and Adam: ConvexAdam (Siebert et al., IEEE TMI 2024)
    by its authors' package, with its own settings, which are meant for voxels of about 2 mm.

    Args:
        pair: the volumes.

    Returns:
        the field on the pair's grid, without a spread; None where the volumes are too thin.
    """
    box = [_side(pair.head, axis, count) for axis, count in enumerate(pair.image.shape[1:], 1)]
    part = pair.image[(slice(None), *(slice(low, high) for low, high in box))]
    if min(part.shape[1:]) < FEWEST:
        return None
    steps = np.moveaxis(convex_adam(*(one.numpy() for one in part)), -1, 0)
    if not np.isfinite(steps).all():
        return None
    for axis, ((low, high), count) in enumerate(zip(box, pair.image.shape[1:], strict=True), 1):
        steps = steps.take(np.arange(count).clip(low, high - 1) - low, axis=axis)
    shifts = [steps[axis] * pair.spacing[axis] for axis in (1, 0, 2)]  # columns, rows, slices
    widths = [SMOOTHED / step for step in pair.spacing]
    smooth = np.stack([gaussian_filter(one, widths, mode="nearest") for one in shifts])
    return ElasticField(vectors(smooth, pair.grid), None, (), 1.0)


def combined(
    learnt: ElasticField, optimised: ElasticField, weights: tuple[float, float]
) -> ElasticField:
    """The weighted sum of two fields on one grid; its Jacobian determinant is ``LEAST`` or more.

    The spread is the learnt one's and how far the two are from their weighted mean, as variances.

    Args:
        learnt: of the network.
        optimised: of :func:`optimised_field`.
        weights: of the two.
    """
    first, second = (sitk.GetArrayFromImage(one.field) for one in (learnt, optimised))
    total = sitk.GetImageFromArray(weights[0] * first + weights[1] * second, isVector=True)
    total.CopyInformation(learnt.field)
    share = weights[1] / sum(weights)
    variance = share * (1 - share) * np.square(first - second).sum(axis=-1)
    if learnt.spread is not None:
        variance += np.square(sitk.GetArrayFromImage(learnt.spread))
    spread = sitk.GetImageFromArray(np.sqrt(variance).astype(np.float32))
    spread.CopyInformation(learnt.field)
    return ElasticField(without_folds(total), spread, learnt.planes, share)


def _side(head: torch.Tensor, axis: int, count: int) -> tuple[int, int]:
    """First and last voxel (exclusive) along an axis of the head and the room around it."""
    shown = head.movedim(axis, 0).flatten(1).any(dim=1).nonzero()
    return max(0, int(shown[0]) - ROOM), min(count, int(shown[-1]) + 1 + ROOM)


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
