"""Mutual information of two images."""

from __future__ import annotations

import numpy as np

BINS = 32


def mutual_information(fixed: np.ndarray, moving: np.ndarray) -> float:
    """Mutual information of the joint histogram of all voxels, background included.

    Args:
        fixed: any shape, scale 0 to 1.
        moving: same shape and scale.

    Returns:
        nats, 0 and more.
    """
    limits = [[0.0, 1.0], [0.0, 1.0]]
    joint = np.histogram2d(fixed.ravel(), moving.ravel(), bins=BINS, range=limits)[0]
    joint /= joint.sum()
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    filled = joint > 0
    return float((joint[filled] * np.log(joint[filled] / independent[filled])).sum())
