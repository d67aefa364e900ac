"""The network ready to be checked, and its way through a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from bundle.fusion.fusion import fuse_picture
from bundle.networks import BiMSRec, load_weights
from bundle.registration.slicewise import match_picture


def shipped_network(checkpoint: str | Path, image_size: int = 256) -> torch.nn.Module:
    """Build the network for pictures of a size, and load weights.

    Args:
        checkpoint: a ``state_dict``.
        image_size: pixels per side, 64, 128 or 256, of the pictures that the network itself will
            be given.

    Returns:
        the network on the CPU in evaluation mode.

    Raises:
        InputError: see :func:`bundle.networks.load_weights`.
    """
    return load_weights(BiMSRec(reduction=256 // image_size), checkpoint)


def infer_picture(image: torch.Tensor, network: Any) -> torch.Tensor:
    """Register and fuse a picture of any size, as inference does.

    Args:
        image: (1, 2, H, W) in [0, 1], fixed and moving luminance.
        network: :class:`bundle.networks.BiMSRec` in evaluation mode.

    Returns:
        (1, 3, H, W): fused in [0, 1], ddf_i, ddf_j in voxels, pull-back.
    """
    ddf, match = match_picture(image, network)
    return torch.cat([fuse_picture(image, ddf, match, network), ddf], dim=1)
