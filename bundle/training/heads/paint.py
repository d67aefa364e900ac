"""Paint a tissue map as a scanner would show it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bundle.training.heads.contrasts import MRI, Contrast
from bundle.training.heads.smooth import blurred, grain, kernel, smooth_field
from bundle.training.heads.tissues import BRAIN, Tissue

_TEXTURE_WIDTH = (2.5, 6.0)  # mm
_BONE_TEXTURE = 0.12  # of a CT value above soft tissue
_BIAS_WIDTH = (80.0, 140.0)  # mm
_REGION_WIDTH = (25.0, 60.0)  # mm
_SPOTS = 0.5  # of the subjects have a region of low or, one in five, high uptake
_SPOT_WIDTH = (15.0, 45.0)  # mm, full width at half maximum
_LEAST = 1e-6  # weights below it are left out


def paint(
    labels: np.ndarray, contrast: Contrast, rng: np.random.Generator, spacing: Sequence[float]
) -> np.ndarray:
    """Paint a volume.

    Args:
        labels: uint8 (D, H, W) of :class:`bundle.training.heads.tissues.Tissue`.
        contrast: of :func:`bundle.training.heads.contrasts.draw_contrast`.
        rng: the source of texture, shading, regions and noise.
        spacing: mm per slice, row and column.

    Returns:
        float32 (D, H, W): relative units, HU, or activity.
    """
    sharp = sharp_values(labels, contrast, rng, spacing)
    return noisy(blurred(sharp, contrast.fwhm, spacing), contrast, rng, spacing)


def paint_slice(
    labels: np.ndarray,
    shares: np.ndarray,
    contrast: Contrast,
    rng: np.random.Generator,
    spacing: Sequence[float],
) -> np.ndarray:
    """Paint one thick slice: the mean of the slices of a painted volume, before the noise.

    Blur and mean are linear, so the slab is brought to one slice before it is blurred in plane.

    Args:
        labels: uint8 (D, H, W), the slice and two widths of the blur to each side.
        shares: (D,), the part that each slice has in the mean; the sum is 1.
        contrast: as for :func:`paint`.
        rng: likewise.
        spacing: mm per slice, row and column.

    Returns:
        float32 (H, W), without noise.
    """
    weights = np.convolve(shares, kernel(contrast.fwhm, spacing[0]), mode="full")
    beyond = (len(weights) - len(shares)) // 2
    weights = weights[beyond : len(weights) - beyond]
    used = weights > _LEAST
    sharp = sharp_values(labels[used], contrast, rng, spacing)
    kept = (weights[used] / weights[used].sum()).astype(np.float32)
    return blurred(np.tensordot(kept, sharp, axes=1), contrast.fwhm, spacing[1:])


def sharp_values(
    labels: np.ndarray, contrast: Contrast, rng: np.random.Generator, spacing: Sequence[float]
) -> np.ndarray:
    """What is there before the scanner blurs it: see :func:`paint`."""
    values = contrast.values[labels]
    if contrast.texture:
        field = smooth_field(labels.shape, rng.uniform(*_TEXTURE_WIDTH), rng, spacing)
        if contrast.name == "CT":
            field *= contrast.texture + _BONE_TEXTURE * np.maximum(values - 100, 0)
            field[labels == Tissue.BACKGROUND] = 0
            values += field
        else:
            values *= 1 + contrast.texture * field
    if contrast.bias:
        field = smooth_field(labels.shape, rng.uniform(*_BIAS_WIDTH), rng, spacing)
        values *= np.exp(contrast.bias * field)
    if contrast.regional:
        values *= _uptake(labels, contrast.regional, rng, spacing)
    return values


def _uptake(
    labels: np.ndarray, amount: float, rng: np.random.Generator, spacing: Sequence[float]
) -> np.ndarray:
    """By what uptake is multiplied: regions that differ, and a spot of disease at times."""
    field = smooth_field(labels.shape, rng.uniform(*_REGION_WIDTH), rng, spacing)
    factor = np.maximum(1 + amount * field, 0.1)
    brain = np.argwhere((labels >= BRAIN[0]) & (labels <= BRAIN[1]))
    if len(brain) and rng.uniform() < _SPOTS:
        middle = brain[rng.integers(len(brain))]
        depth = rng.uniform(0.2, 0.6) if rng.uniform() < 0.2 else -rng.uniform(0.2, 0.8)
        widths = rng.uniform(*_SPOT_WIDTH) * rng.uniform(0.6, 1.0, 3)
        sides = [
            np.exp(-4 * np.log(2) * ((np.arange(n) - m) * s / w) ** 2).astype(np.float32)
            for n, m, s, w in zip(labels.shape, middle, spacing, widths, strict=True)
        ]
        factor *= 1 + np.float32(depth) * np.einsum("i,j,k->ijk", *sides)
    return factor


def noisy(
    values: np.ndarray, contrast: Contrast, rng: np.random.Generator, spacing: Sequence[float]
) -> np.ndarray:
    """Add the noise: Rician for MRI, normal for CT, as of counts for PET and SPECT.

    Args:
        values: float32 (D, H, W) or (H, W).
        contrast: its kind and amount.
        rng: the source.
        spacing: mm along each axis of ``values``.

    Returns:
        float32, the same shape.
    """
    if not contrast.noise:
        return values
    level = np.float32(contrast.noise)
    noise = level * grain(values.shape, contrast.noise_fwhm, rng, spacing)
    if contrast.name in MRI:
        other = level * grain(values.shape, contrast.noise_fwhm, rng, spacing)
        return np.hypot(values + noise, other)
    if contrast.name == "CT":
        return np.maximum(values + noise, np.float32(-1024))
    return np.maximum(values + noise * np.sqrt(np.maximum(values, 0) + np.float32(0.01)), 0)
