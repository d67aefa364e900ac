"""A label map of the fixed volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.volumes import read_volume

MOST = 2000
"""Labels of a map; more are no labels."""


def read_labels(path: Path, fixed: sitk.Image) -> sitk.Image:
    """Read a label map.

    Args:
        path: a volume of any kind, on the fixed volume's grid or another one in its space.
        fixed: the fixed volume.

    Returns:
        int32 on its own grid, as resampling would lose what is small; 0 outside the fixed volume.

    Raises:
        InputError: the file cannot be read, holds no label map, or none of its labels lies in the
            fixed volume.
    """
    image = read_volume(path).image
    values = sitk.GetArrayViewFromImage(image)
    whole = bool((values == np.rint(values)).all() and np.abs(values).max() < 2**31)
    if not whole or values.min() < 0 or len(np.unique(values)) > MOST:
        raise InputError(f"{path}: is no label map (whole numbers, 0 outside); check --labels")
    there = sitk.Image(fixed.GetSize(), sitk.sitkUInt8) + 1
    there.CopyInformation(fixed)
    there = sitk.Resample(there, image, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    found = sitk.Mask(sitk.Cast(image, sitk.sitkInt32), there)
    if not sitk.GetArrayViewFromImage(found).any():
        raise InputError(f"{path}: none of its labels lies in the fixed volume; check --labels")
    return found


def looks_like_labels(values: np.ndarray) -> bool:
    """Whether values are most likely labels: whole numbers in patches, with 0 around them.

    Args:
        values: of an image, any number of axes.
    """
    inside = values[..., 1:] != 0
    if not inside.any() or values.min() < 0 or not (values == np.rint(values)).all():
        return False
    return bool((values[..., 1:] == values[..., :-1])[inside].mean() > 0.5)
