"""Volumes that the tests of registration share."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from bundle.images.pair import read_pair
from bundle.options import options_of
from bundle.registration import initialize
from tests.inference.images import smooth

SLOPES = {"x": 1e-3, "y": 2e-3, "z": 4e-3}
"""How much brighter the coded volume gets per mm to the left, to the back and upwards."""

TILT = sitk.VersorTransform((0.3, -0.5, 1.0), 0.3).GetMatrix()
UPRIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

POINTS = np.array([(20, 0, 0, 1), (0, -30, 0, 1), (0, 0, 25, 1), (-20, 20, -20, 1)], float).T
"""Four places in the head, mm, LPS; as columns."""

SHIFT = (2.0, -1.5, 1.0)
"""mm along x, y and z, of what the moving volume of :func:`shifted` shows."""


def coded(size, spacing, direction=UPRIGHT, orientation="LPS"):
    """A volume whose values tell where they lie; size and spacing along x, y and z."""
    z, y, x = (np.arange(n) * s for n, s in zip(size[::-1], spacing[::-1], strict=True))
    values = SLOPES["x"] * x + SLOPES["y"] * y[:, None] + SLOPES["z"] * z[:, None, None]
    volume = sitk.GetImageFromArray(values)
    volume.SetSpacing(spacing)
    volume.SetDirection(direction)
    volume.SetOrigin((-20.0, 35.0, 7.5))
    return sitk.DICOMOrient(volume, orientation)


def vectors(field):
    """The values of an image of vectors or numbers, (z, y, x[, 3]), float64."""
    return sitk.GetArrayFromImage(field).astype(np.float64)


def head(invert=False, size=41, middle=(0.0, 0.0, 0.0)):
    """An egg with two unlike holes, which leave no symmetry to get lost in, voxels of 3 mm."""
    axis = (np.arange(size) - size // 2) * 3.0
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    x, y, z = x - middle[0], y - middle[1], z - middle[2]
    values = (((x / 36) ** 2 + (y / 46) ** 2 + (z / 40) ** 2) < 1).astype(float)
    values[((x - 12) ** 2 + (y + 15) ** 2 + (z - 8) ** 2) < 100] = 0.4
    values[((x + 10) ** 2 + (y - 18) ** 2 + (z + 12) ** 2) < 144] = 0.7
    if invert:
        values = np.where(values > 0, 1.2 - values, 0)
    return like(values, (3.0,) * 3, (axis[0],) * 3)


def like(values, spacing, origin):
    """An array (z, y, x) as a smoothed volume."""
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    return sitk.SmoothingRecursiveGaussian(image, 3.0)


def motion_of(angles=(0.05, -0.04, 0.12), shift=(7.0, -5.0, 4.0)):
    """A rigid motion, radians and mm."""
    return sitk.Euler3DTransform((0.0, 0.0, 0.0), *angles, shift)


def moved(image, motion):
    """The image carried along by ``motion``: fixed point x is found at motion(x)."""
    return sitk.Resample(image, image, motion.GetInverse(), sitk.sitkLinear, 0.0)


def errors(found, truth):
    """Distances in mm between where two (4, 4) matrices bring ``POINTS``."""
    return np.linalg.norm(((found - truth) @ POINTS)[:3], axis=0)


def shifted(direction=UPRIGHT, spacing=(1.0, 1.0, 1.0), modality="MR", air=0):
    """A volume of smooth noise and the same in another contrast, shifted; with air on one side.

    They are initialized by their headers.
    """
    values = 20 + 80 * smooth((40, 64, 60), 3, 2.0)
    fixed = sitk.GetImageFromArray(np.pad(values, [(0, air), (air, 0), (0, 0)]))
    fixed.SetSpacing(spacing)
    fixed.SetDirection(np.ravel(direction).tolist())
    inverse = sitk.TranslationTransform(3, [-one for one in SHIFT])
    moved = sitk.Resample(fixed, fixed, inverse, sitk.sitkLinear, 0.0)
    moving = (120 - 0.5 * moved) * sitk.Cast(moved > 10, moved.GetPixelID())
    asked = options_of(init="none", modality=modality)
    return initialize(read_pair(fixed, moving, asked), asked)
