"""Self-similarities of a volume: features that are alike in images of any contrast."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import numpy as np
import torch
from torch.nn import functional

Place = tuple[int, ...]

NEIGHBOURS: tuple[Place, ...] = (
    (-1, 0, 0), (0, -1, 0), (0, 0, -1), (0, 0, 1), (0, 1, 0), (1, 0, 0),
)  # fmt: skip
"""Where the patches lie that are compared, around a voxel, times the distance."""


def _pairs() -> dict[Place, list[Place]]:
    """Step from one patch to the other, and from where: each of the steps to two of the pairs."""
    pairs: dict[Place, list[Place]] = defaultdict(list)
    for one, two in combinations(NEIGHBOURS, 2):
        step = tuple(b - a for a, b in zip(one, two, strict=True))
        if max(abs(part) for part in step) == 1:  # not on opposite sides
            pairs[step].append(one)
    return pairs


PAIRS = _pairs()

FLAT = 1e-6
"""Least mean squared difference of patches that a voxel is measured by; images are in [0, 1]."""

ROWS = 16
"""Rows of voxels at a time: few enough for a processor's cache."""


def self_similarities(volume: torch.Tensor, distance: int, cell: int = 1) -> torch.Tensor:
    """MIND-SSC (Heinrich et al., MICCAI 2013) with patches of 3 x 3 x 3 voxels.

    For each pair of patches around a voxel exp(-(d - least d) / (mean d - least d)), where d is
    the patches' mean squared difference.

    Args:
        volume: (H, W, D) in [0, 1].
        distance: of the patches from their voxel, voxels.
        cell: voxels along each side of the cells over which the mean is taken; ``ROWS`` is a
            multiple of it.

    Returns:
        (12, H // cell, W // cell, D // cell), float32, in the order of :data:`PAIRS`.
    """
    height, rim = len(volume), distance + 1
    padded = functional.pad(volume.float()[None, None], [rim] * 6, mode="replicate")[0, 0]
    parts = []
    for first in range(0, height - height % cell, ROWS):
        rows = padded[first : min(first + ROWS, height) + 2 * rim]
        apart = _differences(rows, distance)
        apart -= apart.amin(dim=0)
        alike = apart.div_(-apart.mean(dim=0).clamp(min=FLAT)).exp_()
        parts.append(functional.avg_pool3d(alike, cell) if cell > 1 else alike)
    return torch.cat(parts, dim=1)


def _differences(padded: torch.Tensor, distance: int) -> torch.Tensor:
    """Mean squared differences of the pairs of patches, (12, H, W, D).

    Both pairs of a step are the same differences, seen from two places.

    Args:
        padded: (H, W, D) and ``distance + 1`` voxels around.
        distance: of the patches from their voxel.
    """
    sizes = np.array(padded.shape)
    found = []
    for step, places in PAIRS.items():
        along = distance * np.array(step)
        first = np.maximum(0, -along)  # so that both ends lie inside
        one, two = (padded[_part(begin, sizes - abs(along))] for begin in (first, first + along))
        means = _patch_means((one - two).square_())
        for place in places:
            begin = distance * (1 + np.array(place)) - first
            found.append(means[_part(begin, sizes - 2 * distance - 2)])
    return torch.stack(found)


def _part(begin: np.ndarray, size: np.ndarray) -> tuple[slice, ...]:
    return tuple(slice(first, last) for first, last in np.stack([begin, begin + size], 1).tolist())


def _patch_means(values: torch.Tensor) -> torch.Tensor:
    """Means over 3 x 3 x 3 voxels of (H, W, D), without the outermost ones."""
    for axis, count in enumerate(values.shape):
        parts = [values.narrow(axis, first, count - 2) for first in range(3)]
        values = parts[0] + parts[1] + parts[2]
    return values.div_(27)
