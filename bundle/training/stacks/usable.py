"""Which slices of a series show enough of a head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from bundle.domain import REFERENCE_SIZE
from bundle.geometry.picture_head import HEAD_BRIGHTNESS
from bundle.training.stacks.series import read_series

LEAST = 1 / 3
"""Of a series' largest head: what a slice must show to be used."""

COARSE = 64
"""Pixels per side of the masks that series are compared by."""


@dataclass(frozen=True)
class Heads:
    """The largest object of each slice, holes included: the head, without table and holder.

    Attributes:
        shares: (D,), of the frame, 0 to 1.
        masks: bool (D, COARSE, COARSE), over the frame, whatever the grid.
        boxes: (D, 4), first row, first column, rows and columns, as shares of the frame's sides.
    """

    shares: np.ndarray
    masks: np.ndarray
    boxes: np.ndarray


@lru_cache(maxsize=512)
def heads_of(path: str) -> Heads:
    """Find the head in every slice of a series.

    Args:
        path: a series' file.
    """
    heads = [_head(picture) for picture in read_series(path).pictures]
    return Heads(
        shares=np.array([head.mean() for head in heads]),
        masks=np.array([_coarse(head) for head in heads]),
        boxes=np.array([_box(head) for head in heads]),
    )


def overlap(fixed: str, moving: str) -> np.ndarray:
    """Of two series, slice by slice, what both heads cover of what either covers.

    Args:
        fixed: a series' file.
        moving: another one with as many slices.

    Returns:
        (D,), 0 to 1.
    """
    one, other = heads_of(fixed).masks, heads_of(moving).masks
    either = (one | other).sum(axis=(1, 2))
    return (one & other).sum(axis=(1, 2)) / np.maximum(either, 1)


def usable_slices(path: str) -> frozenset[int]:
    """Numbers of the slices that show enough of the head, counted from 0.

    From the largest head upwards and downwards, until a slice shows less than :data:`LEAST` of
    it: what comes after that has wrapped around from the other end. Empty slices are passed over:
    they may be blanked.

    Args:
        path: a series' file.
    """
    shares = heads_of(path).shares
    largest = int(np.argmax(shares))
    found = set()
    for way in (range(largest, len(shares)), range(largest - 1, -1, -1)):
        for number in way:
            if 0 < shares[number] < LEAST * shares[largest]:
                break
            if shares[number] > 0:
                found.add(number)
    return frozenset(found)


def _head(picture: np.ndarray) -> np.ndarray:
    """(H, W) mask of the largest object of a (C, H, W) picture; without table and head holder."""
    brightest = picture.max(axis=0).astype(np.float32)
    width = 2 * max(brightest.shape) / REFERENCE_SIZE
    lit = ndimage.gaussian_filter(brightest, width) > HEAD_BRIGHTNESS
    labels, count = ndimage.label(lit)
    if not count:
        return lit
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    apart = max(1, round(2 * width))
    closed = ndimage.binary_closing(np.pad(largest, apart), iterations=apart)
    return ndimage.binary_fill_holes(closed)[apart:-apart, apart:-apart]


def _coarse(head: np.ndarray) -> np.ndarray:
    rows, columns = (((np.arange(COARSE) + 0.5) * n / COARSE).astype(int) for n in head.shape)
    return head[np.ix_(rows, columns)]


def _box(head: np.ndarray) -> tuple[float, float, float, float]:
    if not head.any():
        return 0.0, 0.0, 0.0, 0.0
    rows, columns = (np.flatnonzero(head.any(axis)) for axis in (1, 0))
    height, width = head.shape
    return (
        rows[0] / height,
        columns[0] / width,
        (rows[-1] + 1 - rows[0]) / height,
        (columns[-1] + 1 - columns[0]) / width,
    )
