"""What the tests of the Python interface share."""

from __future__ import annotations

import SimpleITK as sitk

SHAPE = (6, 48, 40)
FIELD = {"init": "none", "plane": "axial", "guard": False}
"""Options by which the stub's field, and nothing else, is the result."""


def array(image):
    return sitk.GetArrayFromImage(image)
