"""What the search for the rigid start looks at: a coarse volume, scaled robustly, and its head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from bundle.geometry.head import AIR, COARSE, find_head, without_padding
from bundle.geometry.region import cropped, shrunk, widened

COARSEST = 3
"""Voxels of the coarse volume that make one of the coarsest, in each direction."""

SAME = 2
"""Decimals of a millimetre by which grids differ; two more of a direction or a voxel's size."""

HOT = 6.0
"""What is so many times as bright as the head's median is no anatomy: a bladder, an injection."""


@dataclass(frozen=True)
class StartVolume:
    """A coarse volume.

    Attributes:
        image: float32, 0 to 1, upright, voxels of about 3 mm.
        head: uint8 on the same grid.
    """

    image: sitk.Image
    head: sitk.Image

    def head_on(self, grid: sitk.Image) -> sitk.Image:
        """The head on another grid, uint8: what ``find_head`` finds in the volume itself."""
        return sitk.Resample(self.head, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0)

    def coarsest(self) -> StartVolume:
        """The same in voxels of about 9 mm."""
        spacing = COARSEST * COARSE
        share = shrunk(self.head, spacing)  # of a small head no voxel may be full
        head = share > min(0.5, float(sitk.GetArrayViewFromImage(share).max()) / 2)
        return StartVolume(shrunk(self.image, spacing), sitk.Cast(head, sitk.sitkUInt8))

    def around(self, distance: float) -> StartVolume:
        """Head and image up to a distance in mm from the head, which then counts as head."""
        near = widened(self.head, distance)
        # all grids of the search begin at the head and not at the rim of the field of view
        return StartVolume(cropped(self.image, near), cropped(near, near))

    def without(self, left_out: sitk.Image) -> StartVolume:
        """What is left out, uint8 on any grid, counts as head no more; unless nothing is left."""
        there = sitk.Resample(
            left_out, self.head, sitk.Transform(), sitk.sitkNearestNeighbor, 0, sitk.sitkUInt8
        )
        head = self.head * (there == 0)
        return StartVolume(
            self.image, head if sitk.GetArrayViewFromImage(head).any() else self.head
        )


def start_volume(volume: sitk.Image) -> StartVolume:
    """Bring a volume to what the search looks at.

    Values are scaled from the background to the head's 99.5th percentile, ``HOT`` times its median
    at most: neither a bright padding outside the scan circle nor a hot spot counts.
    """
    small = _coarse(volume)
    head = find_head(small)
    values = sitk.GetArrayViewFromImage(small).clip(min=AIR)
    inside = values[sitk.GetArrayViewFromImage(head) > 0]
    lowest, highest = float(np.percentile(values, 2.0)), float(np.percentile(inside, 99.5))
    highest = min(highest, lowest + HOT * (float(np.median(inside)) - lowest))
    if not lowest < highest:
        lowest, highest = float(values.min()), float(values.max())
    scaled = sitk.Clamp((small - lowest) / (highest - lowest), sitk.sitkFloat32, 0.0, 1.0)
    return StartVolume(scaled, head)


def _coarse(volume: sitk.Image) -> sitk.Image:
    """Upright, in voxels of about 3 mm, on a grid that is the same from files of any format.

    They store it in single or double precision, and the search multiplies such differences.
    """
    small = shrunk(sitk.DICOMOrient(without_padding(volume), "LPS"), COARSE, whole=True)
    small.SetSpacing(np.round(small.GetSpacing(), SAME + 2).tolist())
    small.SetDirection(np.round(small.GetDirection(), SAME + 2).tolist())
    small.SetOrigin(np.round(small.GetOrigin(), SAME).tolist())
    return small
