"""Apply the network at the scale it was trained at: to a picture, or slice by slice to a volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from monai.inferers import SliceInferer
from torch.nn import functional

from bundle.domain import SHORTEST
from bundle.geometry.frame import Box, cut, head_frame, put_back
from bundle.networks import autocast
from bundle.registration.through_plane import smooth_through_plane

WORKING_SIZE = 256
"""Longest side, in pixels, at which images are registered that are much larger or smaller."""

KEPT = (160, 384)
"""Shortest and longest longest side, in pixels, of images that are registered as they are."""

SLICES = 4
"""How many slices of a volume are processed at a time."""


def by_slices(
    volumes: torch.Tensor, function: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """Apply a function of pictures (B, C, H, W) to the slices of (1, C, H, W, D)."""
    inferer = SliceInferer(roi_size=volumes.shape[2:4], sw_batch_size=SLICES, spatial_dim=2)
    return cast(torch.Tensor, inferer(volumes, function))


def match_picture(image: torch.Tensor, network: Any) -> tuple[torch.Tensor, Any]:
    """Register a picture, at its own size or at another one.

    Args:
        image: (B, 2, H, W) in [0, 1], fixed and moving luminance.
        network: see :class:`bundle.networks.BiMSRec`.

    Returns:
        ddf (B, 2, H, W), voxels, rows before columns, pull-back; and what the reconstruction
        takes from the registration of :func:`working_picture`.
    """
    small = working_picture(image)
    height, width = small.shape[-2:]
    match = network.match(small)
    return resize_field(match.ddf[..., :height, :width], image.shape[-2:]), match


def working_picture(image: torch.Tensor) -> torch.Tensor:
    """A picture (B, C, H, W) at the size at which it is registered and fused."""
    size = registration_size(*image.shape[-2:])
    return image if size == tuple(image.shape[-2:]) else _resize(image, size)


def slice_fields(
    image: torch.Tensor,
    head: torch.Tensor,
    spacing: Sequence[float],
    network: Any,
    through_plane: float,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Register a volume slice by slice, and bring the fields of neighbouring slices into agreement.

    The network sees the slices in a frame around the head.

    Args:
        image: (2, H, W, D) in [0, 1], fixed and moving luminance.
        head: (1, H, W, D), not 0 in the head.
        spacing: millimetres per row, column and slice.
        network: its method ``register_with_spread`` is used; where there is none, ``register``,
            which gives the ddf alone.
        through_plane: width in mm of the smoothing across slices, 0 = none.

    Returns:
        the ddf (2, H, W, D), voxels, rows before columns, pull-back; and the spread of the
        network's fields, (1, H, W, D), millimetres, None if the network tells none. Displacements
        across the slices are not seen: in the spread they count as those along an axis within.
    """
    box = head_frame(head[0] > 0, spacing[:2]) if (head > 0).any() else None
    fields = by_slices(image[None], lambda part: framed_fields(part, network, box))
    fields = smooth_through_plane(fields, head[None].to(fields), through_plane / spacing[2])
    ddf, spread = fields[0, :2], fields[0, 2:]
    if not len(spread):
        return ddf, None
    steps = spread.new_tensor(spacing[:2]).view(2, 1, 1, 1)
    inside = head.to(ddf) if (head > 0).any() else torch.ones_like(ddf[:1])
    across = (inside * (ddf * steps).square()).sum() / (2 * inside.sum())
    return ddf, ((spread * steps).square().sum(dim=0, keepdim=True) + across).sqrt()


def registration_size(height: int, width: int) -> tuple[int, int]:
    """Choose the size at which a picture is registered.

    Displacements and anatomy have a size in pixels that the network has learnt.

    Args:
        height: rows of the picture.
        width: columns of the picture.

    Returns:
        (rows, columns), in the picture's proportions up to rounding; no side gets below 32.
    """
    longest = max(height, width)
    if KEPT[0] <= longest <= KEPT[1]:
        return height, width
    scale = max(WORKING_SIZE / longest, SHORTEST / min(height, width))
    if longest > KEPT[1]:
        scale = min(scale, 1.0)
    return round(height * scale), round(width * scale)


def resize_field(ddf: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Bring a field to another resolution of the same image.

    Args:
        ddf: (B, 2, H, W), in voxels of its own grid, channel 0 = row i, channel 1 = column j.
        size: (H', W').

    Returns:
        (B, 2, H', W'), in voxels of the new grid.
    """
    if tuple(size) == tuple(ddf.shape[-2:]):
        return ddf
    ratios = [new / old for new, old in zip(size, ddf.shape[-2:], strict=True)]
    return _resize(ddf, size, "bicubic") * ddf.new_tensor(ratios).view(1, 2, 1, 1)


def framed_fields(image: torch.Tensor, network: Any, box: Box | None) -> torch.Tensor:
    """Register slices in a frame.

    Args:
        image: (B, 2, H, W) in [0, 1], fixed and moving luminance.
        network: see :func:`slice_fields`; on any device.
        box: the frame; None: the whole slices.

    Returns:
        ddf and, if the network tells it, its spread per axis: (B, 2 or 4, H, W), voxels.
    """
    if box is None:
        part, size = image, registration_size(*image.shape[-2:])
    else:  # of a known size in millimetres, so always the same in pixels
        part, size = cut(image, box), (WORKING_SIZE, WORKING_SIZE)
    small = part if size == tuple(part.shape[-2:]) else _resize(part, size)
    found = [resize_field(field, part.shape[-2:]) for field in _with_spread(small, network)]
    fields = torch.cat(found, dim=1)
    return fields if box is None else put_back(fields, box, image.shape[-2:])


def _with_spread(image: torch.Tensor, network: Any) -> list[torch.Tensor]:
    """The ddf, and the standard deviation of the network's fields per axis if it tells them."""
    if not hasattr(network, "register_with_spread"):
        return [network.register(image)]
    # GPUs are slower in it at this size, and a scripted network could not keep positions in float32
    wanted = image.device.type == "cpu" and not isinstance(network, torch.jit.ScriptModule)
    with autocast(image.device, wanted):
        found = network.register_with_spread(image)
    return [field.float() for field in found]


def _resize(image: torch.Tensor, size: Sequence[int], mode: str = "bilinear") -> torch.Tensor:
    """Resize with pixel edges, not centres, as the common frame; low-pass when shrinking."""
    return functional.interpolate(
        image, tuple(size), mode=mode, align_corners=False, antialias=True
    )
