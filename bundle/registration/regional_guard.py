"""The guard of regions: a field counts where it brings the images closer, the start elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import SimpleITK as sitk
import torch
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from bundle.geometry.grid import image_on
from bundle.geometry.transform import field_transform, onto, resample
from bundle.registration.coarse import CoarsePair, scalar
from bundle.registration.elastic_field import ElasticField
from bundle.registration.unfolding import without_folds

CELL = 8
"""Voxels of about 2 mm along each side of a cell, in which grey values are counted."""

WINDOW = 24.0
"""Width in mm of the Gaussian over the cells: a narrower one sees too few voxels to tell."""

BINS = 16
"""Of the grey values of each volume, equally full in the head."""

LEAST = 1e-9
"""Of a share that is divided by, or whose logarithm is taken."""


def guarded(pair: CoarsePair, elastic: ElasticField) -> ElasticField:
    """A field without the regions in which it lowers the local mutual information.

    There it falls back to zero, so to the start, smoothly over a cell.

    Args:
        pair: the volumes after the start; the voxels of its head count.
        elastic: on any grid.

    Returns:
        the field on the same grid; as it was where all regions keep it.
    """
    weights = kept_weights(pair, elastic.field)
    used = float(weights[pair.head[0].numpy()].mean())
    if used == 1.0:
        return elastic
    share = sitk.GetArrayFromImage(onto(scalar(weights, pair.grid), elastic.field))
    return replace(reduced(elastic, share), used=used)


def reduced(elastic: ElasticField, share: np.ndarray | float) -> ElasticField:
    """A share of a field; what falls away counts as uncertain.

    Args:
        elastic: the field.
        share: of it that is left, 0 to 1: one for all, or (z, y, x) on its grid.

    Returns:
        the field on its grid, mm, LPS, pull-back; its spread, if there is one, with what was lost.
    """
    share = np.asarray(share)[..., None]
    vectors = sitk.GetArrayFromImage(elastic.field)
    field, spread = without_folds(image_on(elastic.field, share * vectors)), elastic.spread
    if spread is not None:
        lost = np.linalg.norm((1 - share) * vectors, axis=-1)
        uncertain = np.hypot(sitk.GetArrayFromImage(spread), lost).astype(np.float32)
        spread = image_on(elastic.field, uncertain)
    return replace(elastic, field=field, spread=spread)


def kept_weights(pair: CoarsePair, field: sitk.Image) -> np.ndarray:
    """1 where a field does not lower the local mutual information, 0 where it does.

    Smooth in between, and 1 where no voxel counts nearby. Noise is smoothed where the field samples
    the moving volume, which favours the field a little.

    Args:
        pair: the volumes after the start; the voxels of its head count.
        field: ITK displacement field, millimetres, LPS, pull-back, on any grid.

    Returns:
        float32 (H, W, D).
    """
    fixed, started = pair.image.numpy()
    warped = resample(scalar(started, pair.grid), pair.grid, field_transform(field))
    moved = np.moveaxis(sitk.GetArrayFromImage(warped), 0, 2)
    where = pair.head[0].numpy()
    parts = np.arange(1, BINS) / BINS
    fixed_edges, moving_edges = (np.quantile(one[where], parts) for one in (fixed, started))
    fixed_bins = np.digitize(fixed[where], fixed_edges)
    window = [WINDOW / step for step in pair.spacing]
    before, after = (
        local_information(fixed_bins, np.digitize(one[where], moving_edges), where, window)
        for one in (started, moved)
    )
    kept = torch.from_numpy((after >= before).astype(np.float32))
    size = [CELL * count for count in kept.shape]
    smooth = functional.interpolate(kept[None, None], size, mode="trilinear")[0, 0].numpy()
    height, width, depth = where.shape
    return smooth[:height, :width, :depth]


def local_information(
    fixed: np.ndarray, moving: np.ndarray, where: np.ndarray, window: Sequence[float]
) -> np.ndarray:
    """Mutual information in a Gaussian window around each cell.

    Args:
        fixed: numbers of the bins of the voxels that count, int (N,), below ``BINS``.
        moving: the same of the other volume.
        where: bool (H, W, D), the N voxels that count.
        window: width of the Gaussian, in voxels per row, column and slice.

    Returns:
        (h, w, d), nats, a value per cell of ``CELL`` voxels; 0 where none count nearby.
    """
    cells = [-(-count // CELL) for count in where.shape]
    cell = np.ravel_multi_index([index // CELL for index in np.nonzero(where)], cells)
    both = (cell * BINS + fixed) * BINS + moving
    counts = np.bincount(both, minlength=int(np.prod(cells)) * BINS**2).astype(np.float32)
    widths = [width / CELL for width in window]
    joint = gaussian_filter(counts.reshape(*cells, BINS, BINS), [*widths, 0, 0], truncate=3.0)
    joint /= np.maximum(joint.sum(axis=(-1, -2), keepdims=True), LEAST)
    independent = joint.sum(axis=-1, keepdims=True) * joint.sum(axis=-2, keepdims=True)
    ratio = np.maximum(joint, LEAST) / np.maximum(independent, LEAST)
    found: np.ndarray = (joint * np.log(ratio)).sum(axis=(-1, -2))
    return found
