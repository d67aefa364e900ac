"""Where along its slices a stack agrees best with one that it is said to be aligned with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter

from bundle.registration.similarity import mutual_information

FARTHEST = 2
"""Slices up and down that are tried."""

SIGMA = 1.5
"""Pixels: width of the derivative of a Gaussian by which gradients are taken."""

NOISE = 0.01
"""Gradients per pixel far below it count as none."""

DARK = 0.03
"""Of the brightest values: darker pixels of the fixed stack are air."""


@dataclass(frozen=True)
class SliceOffset:
    """Offset along the slices at which two measures are largest, by a parabola, in slices.

    Positive: the moving stack shows further up what the fixed one shows here.

    Attributes:
        information: by mutual information.
        gradients: by normalised gradient fields within the slices (Haber and Modersitzki 2006).
    """

    information: float
    gradients: float


def slice_offset(fixed: np.ndarray, moving: np.ndarray, shown: np.ndarray) -> SliceOffset:
    """Compare slices with those a few further up and down.

    Whole slices only: values between slices are means, which change both measures.

    Args:
        fixed: (D, H, W) in [0, 1], slices upwards.
        moving: the same.
        shown: bool (D,), slices that count.
    """
    head = binary_dilation(gaussian_filter(fixed, (0, SIGMA, SIGMA)) > DARK, iterations=2)
    inner = np.flatnonzero(shown[FARTHEST : len(shown) - FARTHEST]) + FARTHEST
    normals = [_normals(stack) for stack in (fixed, moving)]

    def information(shift: int) -> float:
        return mutual_information(fixed[inner], moving[inner + shift], head[inner])

    def gradients(shift: int) -> float:
        product = (normals[0][:, inner] * normals[1][:, inner + shift]).sum(axis=0)
        return float(np.square(product)[head[inner]].mean())

    return SliceOffset(_largest(information), _largest(gradients))


def _normals(stack: np.ndarray) -> np.ndarray:
    """Directions of the gradients within slices, (2, D, H, W); short where there is hardly one."""
    along = ((0, 1, 0), (0, 0, 1))
    parts = np.stack([gaussian_filter(stack, (0, SIGMA, SIGMA), order=order) for order in along])
    found: np.ndarray = parts / np.sqrt(np.square(parts).sum(axis=0) + NOISE**2)
    return found


def _largest(measure: Callable[[int], float]) -> float:
    """Where a measure is largest; between whole slices the top of a parabola through three."""
    values = [measure(shift) for shift in range(-FARTHEST, FARTHEST + 1)]
    best = int(np.argmax(values))
    if best in (0, 2 * FARTHEST):
        return float(best - FARTHEST)
    below, top, above = values[best - 1 : best + 2]
    return best - FARTHEST + 0.5 * (below - above) / (below - 2 * top + above)
