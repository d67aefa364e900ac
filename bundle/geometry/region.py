"""Masks widened, volumes cut to them and brought to coarser voxels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from monai.transforms.utils import generate_spatial_bounding_box


def box_of(mask: np.ndarray, room: int | Sequence[int]) -> tuple[slice, slice, slice]:
    """The part of an array of three axes that holds a mask and so many voxels around it.

    Args:
        mask: bool, true somewhere.
        room: voxels, along all axes or along each.
    """
    ends = generate_spatial_bounding_box(mask[None], margin=room, allow_smaller=True)
    first, second, third = (slice(int(a), int(b)) for a, b in zip(*ends, strict=True))
    return first, second, third


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


def shrunk(volume: sitk.Image, spacing: float, whole: bool = False) -> sitk.Image:
    """The volume low-passed, on a grid of about this spacing; finer axes only, coarser stay.

    Args:
        volume: a scalar 3D volume.
        spacing: mm.
        whole: where the last voxels do not fill a new one, the outermost of them count again; else
            they are left out.
    """
    old, size = volume.GetSpacing(), volume.GetSize()
    factors = [int(max(1, min(round(spacing / s), n // 8))) for s, n in zip(old, size, strict=True)]
    image = sitk.Cast(volume, sitk.sitkFloat32)
    if whole:
        lacking = [-n % factor for n, factor in zip(size, factors, strict=True)]
        image = sitk.ZeroFluxNeumannPad(image, [0, 0, 0], lacking)
    return sitk.BinShrink(image, factors)
