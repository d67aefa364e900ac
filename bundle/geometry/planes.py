"""The plane in which a volume is cut into slices."""

from __future__ import annotations

import SimpleITK as sitk

from bundle.geometry.slices import oriented_grid

COARSER = 1.5
"""Another plane is chosen when the axial one's pixels are larger than its by this factor."""


def choose_plane(volume: sitk.Image, plane: str = "auto") -> str:
    """Choose the plane of the slices.

    The network has learnt axial slices. ``auto`` therefore takes these, unless another plane's
    pixels are much smaller.

    Args:
        volume: a scalar 3D volume.
        plane: auto, axial, coronal or sagittal.
    """
    if plane != "auto":
        return plane
    x, y, z = oriented_grid(volume, "axial").GetSpacing()
    pixels = {"axial": max(x, y), "coronal": max(x, z), "sagittal": max(y, z)}
    best = min(pixels, key=lambda name: pixels[name])
    return best if pixels["axial"] > COARSER * pixels[best] else "axial"
