"""Where the head is in a volume: background must not count in measures or in the network's view."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import binary_fill_holes

from bundle.geometry.region import shrunk

COARSE = 3.0
"""Voxel size in mm on which heads are found and the start is sought."""

AIR = -1000.0
"""Hounsfield units of air; padding below it is no anatomy."""

SHARE = 0.3
"""Of the step from background to the head's median: what is brighter belongs to the head."""

UPPER = (99.5, 98.0, 95.0, 90.0)
"""Percentiles above which values are cut, one after the other until a head is found: a hot spot
60 times as bright as the head would be all that stands out."""

LEAST_HEAD = 1e5
"""Cubic millimetres; what stands out and is smaller is no head."""

CORNERS = 0.25
"""Share of the voxels in the corners of the field of view that a padding fills."""


def find_head(volume: sitk.Image) -> sitk.Image:
    """Segment what is not background in a volume.

    The threshold is a share of the median inside, found by iteration from Otsu's: it depends on
    the head alone and not on how much background the field of view holds, nor on few voxels that
    are far brighter than it.

    Args:
        volume: a scalar 3D volume.

    Returns:
        uint8 on the volume's grid, 1 = head: one piece without holes; everything if nothing
        stands out.
    """
    small = shrunk(sitk.DICOMOrient(without_padding(volume), "LPS"), COARSE, whole=True)
    values = _brightness(sitk.GetArrayFromImage(small).clip(min=AIR))
    least = LEAST_HEAD / float(np.prod(small.GetSpacing()))
    masks = (_bright_piece(values.clip(max=np.percentile(values, p)), small) for p in UPPER)
    first = next(masks)
    mask = (
        first if _count(first) >= least else next((m for m in masks if _count(m) >= least), first)
    )
    if not _count(mask):
        mask = mask + 1
    return sitk.Resample(mask, volume, sitk.Transform(), sitk.sitkNearestNeighbor, 0)


def without_padding(volume: sitk.Image) -> sitk.Image:
    """The volume with its background instead of a padding brighter than all it shows.

    Such a padding is the same value in the corners of the field of view: what some scanners
    store outside the scan circle of a CT becomes 31743 or 62512 where a reader takes it for signed.
    """
    values = sitk.GetArrayViewFromImage(volume)
    ends = [np.r_[: min(2, n), max(0, n - 2) : n] for n in values.shape]
    corners = values[np.ix_(*ends)]
    found, counts = np.unique(corners, return_counts=True)
    padding = found[counts.argmax()]
    if counts.max() < CORNERS * corners.size or not padding > values.mean():
        return volume
    rest = values[values != padding]
    if not rest.size or padding <= np.percentile(rest, 99.0):
        return volume
    filled = np.where(values == padding, np.percentile(rest, 0.5).astype(values.dtype), values)
    image = sitk.GetImageFromArray(filled)
    image.CopyInformation(volume)
    return image


def _brightness(values: np.ndarray) -> np.ndarray:
    """The values, or how far they are from a background that is not the lowest of them.

    That is one value around a brain whose skull was removed and whose values are z-scores.
    """
    faces = [np.take(values, end, axis) for axis in range(3) for end in (0, -1)]
    rim = np.concatenate([face.ravel() for face in faces])
    background = np.median(rim)
    constant = (rim == background).mean() > 0.5
    return abs(values - background) if constant and (values < background).mean() > 0.03 else values


def _bright_piece(values: np.ndarray, grid: sitk.Image) -> sitk.Image:
    """The largest piece that stands out, without holes, on a grid."""
    lowest = float(np.percentile(values, 0.5))
    inside = values > _otsu(values)
    for _ in range(10):
        if not inside.any():
            break
        inside = values > lowest + SHARE * (float(np.median(values[inside])) - lowest)
    mask = sitk.GetImageFromArray(inside.astype(np.uint8))
    mask.CopyInformation(grid)
    mask = sitk.BinaryMorphologicalClosing(mask, [2, 2, 2])
    mask = sitk.RelabelComponent(sitk.ConnectedComponent(mask)) == 1
    return _without_holes(mask)


def _count(mask: sitk.Image) -> int:
    return int(sitk.GetArrayViewFromImage(mask).sum())


def _otsu(values: np.ndarray) -> float:
    flat = sitk.GetImageFromArray(values.reshape(1, -1))
    otsu = sitk.OtsuThresholdImageFilter()
    otsu.Execute(flat)
    return otsu.GetThreshold()


def _without_holes(mask: sitk.Image) -> sitk.Image:
    """Fill slice by slice: airways open to the outside in 3D are closed in most slices."""
    slices = [binary_fill_holes(plane) for plane in sitk.GetArrayViewFromImage(mask)]
    filled = sitk.GetImageFromArray(np.stack(slices).astype(np.uint8))
    filled.CopyInformation(mask)
    return filled
