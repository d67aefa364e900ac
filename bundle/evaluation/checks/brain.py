"""Where the brain is in volumes without a tissue map, slice by slice: where errors count."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

UPTAKE = 0.35
"""Of the 90th percentile of what is not dark: what takes up more of a tracer is brain."""

BONE = 0.9
"""Of the brightest value: what is brighter in a CT that was windowed for the brain is bone."""

SMOOTHED = 1.0
"""Width in mm, in plane, of the Gaussian before."""

OPENED = 5.0
"""Radius in mm, in plane: strands thinner than twice that, such as the scalp, are no brain."""


def brain_in_tracer(values: np.ndarray, spacing: float) -> np.ndarray:
    """The brain in PET or SPECT: what takes up the tracer.

    Args:
        values: (D, H, W), 0 = none; axial slices.
        spacing: millimetres per pixel.

    Returns:
        bool, (D, H, W): one piece without holes in a slice, or nothing.
    """
    smooth = ndimage.gaussian_filter(values.astype(np.float32), _in_plane(SMOOTHED / spacing))
    lit = smooth[smooth > 0.05 * smooth.max()]
    if not lit.size:
        return np.zeros(values.shape, bool)
    return _largest(smooth > UPTAKE * np.percentile(lit, 90), spacing)


def brain_in_skull(values: np.ndarray, spacing: float) -> np.ndarray:
    """The brain in CT that was windowed for it: what bone encloses.

    Args:
        values: (D, H, W); axial slices.
        spacing: millimetres per pixel.

    Returns:
        bool, (D, H, W): one piece without holes in a slice, or nothing where the skull is open.
    """
    smooth = ndimage.gaussian_filter(values.astype(np.float32), _in_plane(SMOOTHED / spacing))
    bone = smooth > BONE * values.max()
    enclosed = np.stack([ndimage.binary_fill_holes(plane) for plane in bone]) & ~bone
    return _largest(enclosed, spacing)


def _largest(mask: np.ndarray, spacing: float) -> np.ndarray:
    """The largest piece in each slice, without strands and holes."""
    radius = max(1, round(OPENED / spacing))
    rows, columns = np.indices((2 * radius + 1,) * 2) - radius
    disc = rows**2 + columns**2 <= radius**2
    return np.stack([_piece(ndimage.binary_opening(plane, disc)) for plane in mask])


def _piece(plane: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(plane)
    if not count:
        return plane
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return np.asarray(ndimage.binary_fill_holes(largest))


def _in_plane(width: float) -> tuple[float, float, float]:
    return 0.0, width, width
