"""ANTs SyN (Avants 2008) by antspyx, tuned for pairs that are nearly registered."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.evaluation.baselines.head import optimiser_mask
from bundle.geometry.transform import field_transform

SYN: dict[str, Any] = {
    "type_of_transform": "SyNOnly",
    "initial_transform": ["Identity"],
    "syn_metric": "mattes",
    "syn_sampling": 32,
    "reg_iterations": (100, 70, 50),
    "grad_step": 0.2,
    "flow_sigma": 3,
    "total_sigma": 0.5,
    "random_seed": 1,
}
"""Tuned on training slices."""


def require_ants() -> Any:
    """Import antspyx.

    Returns:
        the module ``ants``.

    Raises:
        InputError: it is not installed; says how to install it.
    """
    try:
        return importlib.import_module("ants")
    except ImportError as error:
        raise InputError(
            "antspyx: not installed; run .venv/bin/python -m pip install -r "
            "requirements-baselines.txt, or leave ants out"
        ) from error


def syn(fixed: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
    """Register a moving onto a fixed picture.

    SyN alone from the identity, Mattes mutual information inside the head, gradient and total
    field smoothed. The defaults of antspyx (an affine start without mask) make pairs of this
    kind worse.

    Args:
        fixed: (1, 1, H, W), luma 0 to 255.
        moving: as ``fixed``.

    Returns:
        ddf (1, 2, H, W), float32, voxels, ij, pull-back: ``warped(x) = moving(x + ddf(x))``.

    Raises:
        InputError: antspyx is not installed.
    """
    ants = require_ants()
    # ANTs' first axis is ours too, so its components are rows and columns
    images = [ants.from_numpy(image[0, 0].cpu().double().numpy()) for image in (fixed, moving)]
    mask = ants.from_numpy(optimiser_mask(fixed).astype(np.float32))
    with tempfile.TemporaryDirectory() as folder:
        result = ants.registration(
            *images,
            mask=mask,
            outprefix=str(Path(folder) / "syn"),
            **SYN,
        )
        composed = ants.apply_transforms(
            *images, result["fwdtransforms"], compose=str(Path(folder) / "total")
        )
        field = ants.image_read(composed).numpy()  # (H, W, ij)
    return torch.from_numpy(np.moveaxis(field, -1, 0).astype(np.float32))[None]


def syn_volumes(fixed: sitk.Image, moving: sitk.Image, head: sitk.Image) -> sitk.Transform:
    """Register a moving onto a fixed volume with the settings of :func:`syn`.

    Args:
        fixed: reference volume.
        moving: volume to register, on the same grid.
        head: uint8 on the grid, 1 where voxels count.

    Returns:
        fixed to moving points, mm, LPS.

    Raises:
        InputError: antspyx is not installed.
    """
    ants = require_ants()
    with tempfile.TemporaryDirectory() as folder:
        images = []
        for name, volume in (("f", fixed), ("m", moving), ("h", head)):
            path = str(Path(folder) / f"{name}.nii.gz")
            sitk.WriteImage(sitk.Cast(volume, sitk.sitkFloat32), path)
            images.append(ants.image_read(path))
        result = ants.registration(
            *images[:2], mask=images[2], outprefix=str(Path(folder) / "syn"), **SYN
        )
        composed = ants.apply_transforms(
            *images[:2], result["fwdtransforms"], compose=str(Path(folder) / "total")
        )
        field = sitk.ReadImage(composed, sitk.sitkVectorFloat64)  # ITK's own form: mm, LPS
    return field_transform(field)
