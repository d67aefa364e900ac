"""Mutual information of two images."""

from __future__ import annotations

import numpy as np

BINS = 32


def mutual_information(
    fixed: np.ndarray, moving: np.ndarray, where: np.ndarray | None = None
) -> float:
    """Mutual information of the joint histogram.

    Args:
        fixed: any shape, scale 0 to 1.
        moving: same shape and scale.
        where: bool, same shape: the voxels that count, by default all of them.

    Returns:
        nats, 0 and more.
    """
    if where is not None and where.any():
        fixed, moving = fixed[where], moving[where]
    limits = [[0.0, 1.0], [0.0, 1.0]]
    joint = np.histogram2d(fixed.ravel(), moving.ravel(), bins=BINS, range=limits)[0]
    joint /= joint.sum()
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    filled = joint > 0
    return float((joint[filled] * np.log(joint[filled] / independent[filled])).sum())
