"""The planes in which a volume can be cut into slices."""

from __future__ import annotations

import SimpleITK as sitk

from bundle.errors import InputError

CODES = {"axial": "LPS", "coronal": "LIP", "sagittal": "PIR"}
"""ITK orientation of columns, rows and slices: heads upright, seen as in a radiological picture."""

PLANES = ("auto", *CODES)
COARSER = 1.5
"""Another plane is chosen when the axial one's pixels are larger than its by this factor."""


def choose_plane(volume: sitk.Image, plane: str = "auto") -> str:
    """Choose the plane of the slices.

    The network has learnt axial slices. ``auto`` therefore takes these, unless another plane's
    pixels are much smaller.

    Args:
        volume: a scalar 3D volume.
        plane: one out of ``PLANES``.

    Raises:
        InputError: the plane is unknown.
    """
    if plane not in PLANES:
        raise InputError(f"plane: {plane!r} is none of {', '.join(PLANES)}")
    if plane != "auto":
        return plane
    x, y, z = sitk.DICOMOrient(volume, "LPS").GetSpacing()
    pixels = {"axial": max(x, y), "coronal": max(x, z), "sagittal": max(y, z)}
    best = min(pixels, key=lambda name: pixels[name])
    return best if pixels["axial"] > COARSER * pixels[best] else "axial"
