"""Grids of voxels in space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk


def same_extent(volume: sitk.Image, counts: Sequence[int]) -> sitk.Image:
    """An empty volume, uint8, of the same extent in other voxels.

    Args:
        volume: 3D; orientation and outer edges stay.
        counts: voxels along its axes.
    """
    old, sizes = np.array(volume.GetSpacing()), np.array(volume.GetSize())
    spacing = old * sizes / counts
    direction = np.reshape(volume.GetDirection(), (3, 3))
    grid = sitk.Image([int(count) for count in counts], sitk.sitkUInt8)
    grid.SetSpacing(spacing.tolist())
    grid.SetDirection(volume.GetDirection())
    grid.SetOrigin((volume.GetOrigin() + direction @ ((spacing - old) / 2)).tolist())
    return grid
