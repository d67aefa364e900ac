"""Mutual information of two images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BINS = 32
"""Along each axis of the joint histogram, here and in ITK's measure."""

CHUNK = 2**18
"""Values that are looked at together."""


def mutual_information(
    fixed: np.ndarray, moving: np.ndarray, where: np.ndarray | None = None
) -> float:
    """Mutual information of the joint histogram.

    Args:
        fixed: any shape, scale 0 to 1.
        moving: same shape and scale.
        where: bool, same shape: the voxels that count; all where it is None or nowhere true.

    Returns:
        nats, 0 and more.
    """
    if where is not None and where.any():
        fixed, moving = fixed[where], moving[where]
    joint = np.zeros(BINS * BINS)
    for one, other in chunks(fixed, moving):
        both = BINS * _bin(one).astype(np.int64) + _bin(other)
        joint += np.bincount(both, minlength=BINS * BINS)
    joint = joint.reshape(BINS, BINS) / joint.sum()
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    filled = joint > 0
    return float((joint[filled] * np.log(joint[filled] / independent[filled])).sum())


def chunks(*arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Arrays of one size, flat and in parts: what is computed of them takes little memory."""
    flat = [array.ravel() for array in arrays]
    for first in range(0, flat[0].size, CHUNK):
        yield tuple(array[first : first + CHUNK] for array in flat)


def _bin(values: np.ndarray) -> np.ndarray:
    """Numbers of the bins; 1 lies in the last one."""
    return (values * BINS).astype(np.int16).clip(0, BINS - 1)
