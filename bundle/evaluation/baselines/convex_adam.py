"""ConvexAdam (Siebert et al., IEEE TMI 2024) by its authors' package."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.geometry.transform import field_transform
from bundle.registration.convex_adam import package

SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "abdomen": {
        "grid_sp": 4, "disp_hw": 8, "grid_sp_adam": 3, "lambda_weight": 0.6, "selected_niter": 40,
    },
    "lung": {
        "grid_sp": 4, "disp_hw": 6, "grid_sp_adam": 2, "lambda_weight": 0.65, "selected_niter": 50,
        "selected_smooth": 3,
    },
}  # fmt: skip
"""The package's own, and those of its winning entries of Learn2Reg 2021 (Siebert et al. 2022).

``abdomen``: CT onto MRI. ``lung``: CT onto CT; there without inverse consistency, which the package
cannot leave out (it then takes grid points for voxels).
"""


def convex_adam_volumes(
    fixed: sitk.Image, moving: sitk.Image, setting: str = "default"
) -> sitk.Transform:
    """Register a moving onto a fixed volume by MIND-SSC, coupled convex search and Adam.

    Args:
        fixed: reference volume.
        moving: volume to register, on the same grid.
        setting: one of :data:`SETTINGS`; distances in them are voxels, meant for about 2 mm.

    Returns:
        fixed to moving points, mm, LPS.
    """
    arrays = [sitk.GetArrayFromImage(volume) for volume in (fixed, moving)]
    with package():
        from convexAdam.convex_adam_MIND import convex_adam_pt

        # (D, H, W, zyx), voxels, pull-back
        steps = convex_adam_pt(*arrays, dtype=torch.float32, device="cpu", **SETTINGS[setting])
    vectors = steps[..., ::-1] * fixed.GetSpacing()
    vectors = vectors @ np.reshape(fixed.GetDirection(), (3, 3)).T
    field = sitk.GetImageFromArray(np.ascontiguousarray(vectors, np.float64), isVector=True)
    field.CopyInformation(fixed)
    return field_transform(field)
