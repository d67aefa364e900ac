"""Where the head is: background must not count in measures or in the network's view."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch
from monai.utils import convert_to_tensor
from scipy.ndimage import binary_fill_holes, gaussian_filter

COARSE = 3.0
"""Voxel size in mm on which heads are found and the start is sought."""

AIR = -1000.0
"""Hounsfield units of air; padding below it is no anatomy."""

SHARE = 0.3
"""Of the step from background to the head's median: what is brighter belongs to the head."""

HEAD_BRIGHTNESS = 15.0
"""Of 255, in pictures: what is brighter belongs to the head."""


def head_mask(fixed: torch.Tensor) -> torch.Tensor:
    """Where a picture, smoothed by a Gaussian of 2 px, is brighter than ``HEAD_BRIGHTNESS``.

    Args:
        fixed: (B, 1, H, W), luma 0 to 255.

    Returns:
        bool, (B, H, W), on the device of ``fixed``.

    Raises:
        ValueError: the shape is another.
    """
    if fixed.ndim != 4 or fixed.shape[1] != 1:
        raise ValueError(f"expected pictures (B, 1, H, W), got {tuple(fixed.shape)}")
    pictures = convert_to_tensor(fixed, dtype=torch.float64, track_meta=False)[:, 0]
    smooth = [gaussian_filter(picture, sigma=2) for picture in pictures.cpu().numpy()]
    return torch.from_numpy(np.stack(smooth) > HEAD_BRIGHTNESS).to(fixed.device)


def find_head(volume: sitk.Image) -> sitk.Image:
    """Segment what is not background in a volume.

    The threshold is a share of the median inside, found by iteration from Otsu's: it depends on
    the head alone and not on how much background the field of view holds.

    Args:
        volume: a scalar 3D volume.

    Returns:
        uint8 on the volume's grid, 1 = head: one piece without holes; everything if nothing
        stands out.
    """
    small = shrunk(sitk.DICOMOrient(volume, "LPS"), COARSE)
    values = sitk.GetArrayFromImage(small).clip(min=AIR)
    lowest = float(np.percentile(values, 0.5))
    inside = values > _otsu(values)
    for _ in range(10):
        if not inside.any():
            break
        inside = values > lowest + SHARE * (float(np.median(values[inside])) - lowest)
    mask = sitk.GetImageFromArray(inside.astype(np.uint8))
    mask.CopyInformation(small)
    mask = sitk.BinaryMorphologicalClosing(mask, [2, 2, 2])
    mask = sitk.RelabelComponent(sitk.ConnectedComponent(mask)) == 1
    mask = _without_holes(mask)
    if not sitk.GetArrayViewFromImage(mask).any():
        mask = mask + 1
    return sitk.Resample(mask, volume, sitk.Transform(), sitk.sitkNearestNeighbor, 0)


def widened(mask: sitk.Image, distance: float) -> sitk.Image:
    """The mask and what lies within a distance in mm of it."""
    away = sitk.SignedMaurerDistanceMap(mask, squaredDistance=False, useImageSpacing=True)
    return sitk.Cast(away <= distance, sitk.sitkUInt8)


def cropped(volume: sitk.Image, mask: sitk.Image) -> sitk.Image:
    """The part of a volume that holds a mask on its grid."""
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(mask)
    box = shape.GetBoundingBox(1)
    return sitk.RegionOfInterest(volume, box[3:], box[:3])


def shrunk(volume: sitk.Image, spacing: float) -> sitk.Image:
    """The volume low-passed, on a grid of about this spacing; finer axes only, coarser stay."""
    old, size = np.array(volume.GetSpacing()), np.array(volume.GetSize())
    factors = [int(max(1, min(round(spacing / s), n // 8))) for s, n in zip(old, size, strict=True)]
    return sitk.BinShrink(sitk.Cast(volume, sitk.sitkFloat32), factors)


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
