"""Fuse registered volumes: coefficients on a coarse grid, interpolated in three directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from bundle.geometry.frame import Box, cut, head_frame
from bundle.geometry.interpolation import interpolation
from bundle.networks import device_of
from bundle.networks.blend import blend
from bundle.registration.slicewise import SLICES, WORKING_SIZE

SLAB = 4.0
"""Thickness in mm of the slabs that the network sees as slices, about the size of its cells."""

AT_ONCE = 16
"""Slices that are fused at a time."""


def fuse_volumes(
    image: torch.Tensor, head: torch.Tensor, spacing: Sequence[float], network: Any
) -> torch.Tensor:
    """Fuse two volumes on one grid.

    The network sees the means of slabs in a frame around the head; its coefficients are
    interpolated between slabs, so that neighbouring slices are fused alike.

    Args:
        image: (2, H, W, D) in [0, 1], the fixed and the warped volume as displayed.
        head: (1, H, W, D), not 0 in the head.
        spacing: millimetres per row, column and slice.
        network: see :class:`bundle.networks.BiMSRec`.

    Returns:
        (1, H, W, D) in [0, 1], nowhere outside the range of the two volumes.
    """
    size = image.shape[1:]
    whole = (0, 0, size[0], size[1])
    box = head_frame(head[0] > 0, spacing[:2]) if (head > 0).any() else whole
    cells = slab_coefficients(image, box, spacing[2], network)
    middles = [torch.arange(n) + 0.5 for n in size]
    rows = interpolation((middles[0] - box[0]) / box[2], cells.shape[1])
    columns = interpolation((middles[1] - box[1]) / box[3], cells.shape[2])
    slices = interpolation(middles[2] / size[2], cells.shape[3])
    fused = torch.empty_like(image[:1])
    for start in range(0, size[2], AT_ONCE):
        part = slice(start, start + AT_ONCE)
        weights = torch.einsum("chwd,zd->czhw", cells, slices[part])
        weights = rows @ weights @ columns.T  # (4, z, H, W)
        sources = image[..., part].movedim(3, 1)[:, None]
        fused[..., part] = blend(weights[None], sources[:1], sources[1:])[0].movedim(1, 3)
    return fused


def slab_coefficients(
    image: torch.Tensor, box: Box, thickness: float, network: Any
) -> torch.Tensor:
    """The network's coefficients of every slab.

    Args:
        image: (2, H, W, D) in [0, 1].
        box: the frame of the slices that the network sees.
        thickness: of the slices, mm.
        network: see :func:`fuse_volumes`.

    Returns:
        (4, h, w, d), float32, cells of the frame and slabs of about ``SLAB`` mm.
    """
    slabs = max(1, min(image.shape[3], round(image.shape[3] * thickness / SLAB)))
    means = functional.adaptive_avg_pool3d(image, (*image.shape[1:3], slabs))
    found = [
        _of_slices(cut(part, box), network) for part in means.permute(3, 0, 1, 2).split(SLICES)
    ]
    cells = torch.cat(found).permute(1, 2, 3, 0)
    around = functional.pad(cells.flatten(0, 2)[None], [1, 1], mode="replicate")
    return functional.avg_pool1d(functional.avg_pool1d(around, 2, 1), 2, 1)[0].view_as(cells)


def _of_slices(slices: torch.Tensor, network: Any) -> torch.Tensor:
    """(B, 2, rows, columns) as seen in the frame to coefficients (B, 4, h, w), on the CPU."""
    size = (WORKING_SIZE, WORKING_SIZE)
    small = functional.interpolate(slices, size, mode="bilinear", antialias=True)
    small = small.to(device_of(network))
    return network.coefficients(small, network.guided(small, torch.zeros_like(small))).float().cpu()
