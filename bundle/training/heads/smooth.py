"""Smooth random fields, and the blur of a scanner."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np
import torch
from scipy.ndimage import convolve1d, gaussian_filter
from scipy.special import ndtr
from torch.nn import functional

FWHM = 2.3548
"""Full width at half maximum of a Gaussian, in standard deviations."""

_GAIN = 0.5311  # per axis, of the deviation of white noise that a Gaussian of sigma 1 smooths


def smooth_field(
    shape: Sequence[int], width: float, rng: np.random.Generator, spacing: Sequence[float]
) -> np.ndarray:
    """Normal noise, of about unit variance, that is as smooth as a Gaussian of a width leaves it.

    Args:
        shape: (D, H, W).
        width: full width at half maximum of that Gaussian, mm.
        rng: the source.
        spacing: mm per slice, row and column.

    Returns:
        float32 (D, H, W).
    """
    step = width / FWHM
    cells = [max(2, ceil(n * s / step) + 1) for n, s in zip(shape, spacing, strict=True)]
    padded = rng.standard_normal([n + 6 for n in cells], dtype=np.float32)
    coarse = gaussian_filter(padded, 1.0, truncate=3.0)[3:-3, 3:-3, 3:-3] / _GAIN**3
    size = [int(n) for n in shape]
    fine = functional.interpolate(
        torch.from_numpy(coarse.copy())[None, None], size, mode="trilinear", align_corners=True
    )
    return fine[0, 0].numpy()


def kernel(fwhm: float, step: float) -> np.ndarray:
    """A Gaussian integrated over voxels: what a tissue map, constant within voxels, looks like.

    Args:
        fwhm: full width at half maximum, mm.
        step: mm per voxel.

    Returns:
        weights of sum 1, an odd number; they reach two widths to each side.
    """
    reach = margin(fwhm, step)
    if reach == 0:
        return np.ones(1)
    edges = (np.arange(-reach, reach + 2) - 0.5) * step * FWHM / fwhm
    weights = np.diff(ndtr(edges))
    return weights / weights.sum()


def margin(fwhm: float, step: float) -> int:
    """Voxels to each side that :func:`kernel` reaches."""
    return ceil(2 * fwhm / step)


def blurred(values: np.ndarray, fwhm: float, spacing: Sequence[float]) -> np.ndarray:
    """Blur along every axis that ``spacing`` gives, the last ones of the array.

    Args:
        values: float32 (..., H, W) or (D, H, W).
        fwhm: mm.
        spacing: mm per voxel of the last axes.

    Returns:
        float32, the same shape; beyond the rim the outermost values go on.
    """
    for axis, step in zip(range(-len(spacing), 0), spacing, strict=True):
        values = convolve1d(values, kernel(fwhm, step), axis=axis, mode="nearest")
    return values


def grain(
    shape: Sequence[int], fwhm: float, rng: np.random.Generator, spacing: Sequence[float]
) -> np.ndarray:
    """Noise of unit deviation, as coarse as a blur leaves it: float32 of this shape."""
    white = rng.standard_normal(shape, dtype=np.float32)
    gain = np.prod([sqrt(float((kernel(fwhm, step) ** 2).sum())) for step in spacing])
    return blurred(white, fwhm, spacing) / np.float32(gain)
