"""TRE: distance of landmarks after registration."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates


def landmark_error(
    ddf: np.ndarray, fixed_points: np.ndarray, moving_points: np.ndarray
) -> np.ndarray:
    """Distance between where the field finds each landmark in the moving image and where it is.

    Args:
        ddf: (D, spatial...) with D = 2 or 3, channel k along array axis k, voxels, pull-back
            (``warped(x) = moving(x + ddf(x))``).
        fixed_points: (K, D), voxel coordinates in array-axis order.
        moving_points: (K, D), the same landmarks in the moving image.

    Returns:
        (K,), target registration error of every landmark, voxels.

    Raises:
        ValueError: the shapes do not belong together, or a landmark lies outside the field.
    """
    fixed_points, moving_points = np.asarray(fixed_points), np.asarray(moving_points)
    dims, size = ddf.shape[0], np.asarray(ddf.shape[1:])
    if fixed_points.shape != moving_points.shape or fixed_points.shape[1:] != (dims,):
        raise ValueError(
            f"expected (K, {dims}) landmarks for a field {ddf.shape}, got fixed "
            f"{fixed_points.shape}, moving {moving_points.shape}"
        )
    outside = ((fixed_points < 0) | (fixed_points > size - 1)).any(axis=1)
    if outside.any():
        raise ValueError(f"fixed landmark {fixed_points[outside][0]} lies outside the field {size}")
    return np.linalg.norm(moved(fixed_points, ddf) - moving_points, axis=1)


def moved(points: np.ndarray, ddf: np.ndarray) -> np.ndarray:
    """Where a field sends points, (K, D); it is interpolated linearly. Units as above."""
    shift = [map_coordinates(channel, points.T, order=1) for channel in ddf]
    return points + np.stack(shift, axis=1)
