"""Fuse a registered pair."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import SimpleITK as sitk
import torch

from bundle.fusion.recolor import recolor
from bundle.geometry.slices import from_slices
from bundle.networks import device_of
from bundle.progress import SILENT, Progress, Stage
from bundle.registration import (
    PictureRegistration,
    Registration,
    VolumeRegistration,
)
from bundle.registration.registration import require_finite
from bundle.registration.slicewise import by_slices


@dataclass(frozen=True)
class FusedPictures:
    """A registered pair of pictures and their fusion.

    Attributes:
        registration: what was fused.
        fused: (C, H, W), 0 to 255; the moving picture's colours, if it has any, on the fused
            luminance.
        seconds: from reading to the fusion.
    """

    registration: PictureRegistration
    fused: torch.Tensor
    seconds: float


@dataclass(frozen=True)
class FusedVolumes:
    """A registered pair of volumes and their fusion.

    Attributes:
        registration: what was fused.
        fused: float32 in [0, 1] on the fixed volume's grid.
        seconds: from reading to the fusion.
    """

    registration: VolumeRegistration
    fused: sitk.Image
    seconds: float


FusedPair = FusedPictures | FusedVolumes


@torch.no_grad()
def fuse(registration: Registration, network: Any, progress: Progress = SILENT) -> FusedPair:
    """Fuse a registered pair.

    Args:
        registration: of :func:`bundle.registration.register`.
        network: the same network, on the same device.
        progress: is told that the fusion begins.

    Raises:
        InputError: the network's fusion is not finite.
    """
    progress(Stage.FUSE)
    if isinstance(registration, PictureRegistration):
        return _fuse_pictures(registration, network)
    return _fuse_volumes(registration, network)


def _fuse_pictures(registration: PictureRegistration, network: Any) -> FusedPictures:
    device = device_of(network)
    image, ddf = (values[None].to(device) for values in (registration.image, registration.ddf))
    fused = fuse_picture(image, ddf, registration.match, network)
    require_finite(fused)
    luminance, warped = 255 * fused[0].cpu().double(), registration.warped
    colored = recolor(luminance, warped) if len(warped) == 3 else luminance
    return FusedPictures(registration, colored, time.time() - registration.pair.began)


def fuse_picture(image: torch.Tensor, ddf: torch.Tensor, match: Any, network: Any) -> torch.Tensor:
    """Fuse by what :func:`bundle.registration.slicewise.match_picture` found.

    Args:
        image: (B, 2, H, W) in [0, 1], fixed and moving luminance.
        ddf: (B, 2, H, W), voxels, pull-back; guides all scales where there is no ``match``.
        match: the fields of all scales, or None.
        network: see :class:`bundle.networks.BiMSRec`.

    Returns:
        (B, 1, H, W) in [0, 1].
    """
    return network.fuse(image, ddf) if match is None else network.reconstruct(image, match)


def _fuse_volumes(registration: VolumeRegistration, network: Any) -> FusedVolumes:
    """Slice by slice; the moving volume is warped already, so the network's field is zero.

    No value lies outside those of the two displayed volumes: nothing is invented, air stays air.
    """
    pair, fixed = registration.pair, registration.initial.image[0]
    image = torch.stack([fixed, registration.shown])[None].to(device_of(network))
    fused = by_slices(image, lambda part: network.fuse(part, torch.zeros_like(part)))
    require_finite(fused)
    fused = fused.clamp(image.amin(dim=1, keepdim=True), image.amax(dim=1, keepdim=True)).cpu()
    volume = from_slices(fused[0], pair.fixed.image, pair.plane)
    return FusedVolumes(registration, volume, time.time() - pair.began)
