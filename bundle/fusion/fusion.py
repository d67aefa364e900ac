"""Fuse a registered pair."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import SimpleITK as sitk
import torch

from bundle.fusion.recolor import recolor
from bundle.fusion.volumes import fuse_volumes
from bundle.geometry.interpolation import interpolation
from bundle.geometry.slices import from_slices, plane_spacing
from bundle.geometry.warp import warp_tokens
from bundle.networks import device_of
from bundle.networks.blend import blend
from bundle.progress import SILENT, Progress, Stage
from bundle.registration import (
    PictureRegistration,
    Registration,
    VolumeRegistration,
)
from bundle.registration.registration import require_finite
from bundle.registration.slicewise import resize_field, working_picture


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

    Returns:
        the pair with its fused image: of volumes in [0, 1] on the grid of the results, of pictures
        0 to 255.

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
    """Fuse a picture, at its own size or, as its registration, at another one.

    Args:
        image: (B, 2, H, W) in [0, 1], fixed and moving luminance.
        ddf: (B, 2, H, W), voxels, pull-back.
        match: of :func:`bundle.registration.slicewise.match_picture`; None: the field serves all
            scales.
        network: see :class:`bundle.networks.BiMSRec`.

    Returns:
        (B, 1, H, W) in [0, 1].
    """
    size, small = image.shape[-2:], working_picture(image)
    if match is None:
        match = network.guided(small, resize_field(ddf, small.shape[-2:]))
    cells, padded = network.coefficients(small, match), match.ddf.shape[-2:]
    rows, columns = (
        interpolation((torch.arange(n, device=cells.device) + 0.5) / n * part / whole, count)
        for n, part, whole, count in zip(
            size, small.shape[-2:], padded, cells.shape[-2:], strict=True
        )
    )
    warped = warp_tokens(image[:, 1:], ddf, padding_mode="zeros")
    return blend(rows @ cells @ columns.T, image[:, :1], warped)


def _fuse_volumes(registration: VolumeRegistration, network: Any) -> FusedVolumes:
    """The moving volume is warped already, so the network's field is zero."""
    pair, fixed = registration.pair, registration.initial.image[0]
    image = torch.stack([fixed, registration.shown])
    spacing = plane_spacing(pair.fixed.image, pair.plane)
    fused = fuse_volumes(image, registration.initial.head, spacing, network)
    require_finite(fused)
    volume = from_slices(fused, pair.fixed.image, pair.plane)
    return FusedVolumes(registration, volume, time.time() - pair.began)
