"""ConvexAdam (Siebert et al., IEEE TMI 2024) by its authors' package."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.geometry.transform import field_transform

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


def require_convex_adam() -> Any:
    """Import the package.

    Returns:
        its module ``convex_adam_MIND``.

    Raises:
        InputError: it is not installed; says how to install it.
    """
    try:
        return importlib.import_module("convexAdam.convex_adam_MIND")
    except ImportError as error:
        raise InputError(
            "convexAdam: not installed; run .venv/bin/python -m pip install -r "
            "requirements-baselines.txt, or leave convexadam out"
        ) from error


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

    Raises:
        InputError: the package is not installed.
    """
    package = require_convex_adam()
    arrays = [sitk.GetArrayFromImage(volume) for volume in (fixed, moving)]
    steps = package.convex_adam_pt(
        *arrays, dtype=torch.float32, device=torch.device("cpu"), **SETTINGS[setting]
    )  # (D, H, W, zyx), voxels, pull-back
    vectors = steps[..., ::-1] * fixed.GetSpacing()
    vectors = vectors @ np.reshape(fixed.GetDirection(), (3, 3)).T
    field = sitk.GetImageFromArray(np.ascontiguousarray(vectors, np.float64), isVector=True)
    field.CopyInformation(fixed)
    return field_transform(field)
