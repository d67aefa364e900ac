"""ANTs SyN (Avants 2008) by antspyx, tuned for pairs that are nearly registered."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bundle.baselines.head import optimiser_mask
from bundle.errors import InputError


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
            "requirements-baselines.txt, or leave ants out of --methods"
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
            type_of_transform="SyNOnly",
            initial_transform=["Identity"],
            mask=mask,
            syn_metric="mattes",
            syn_sampling=32,
            reg_iterations=(100, 70, 50),
            grad_step=0.2,
            flow_sigma=3,
            total_sigma=0.5,
            random_seed=1,
            outprefix=str(Path(folder) / "syn"),
        )
        composed = ants.apply_transforms(
            *images, result["fwdtransforms"], compose=str(Path(folder) / "total")
        )
        field = ants.image_read(composed).numpy()  # (H, W, ij)
    return torch.from_numpy(np.moveaxis(field, -1, 0).astype(np.float32))[None]
