"""The square frame around the head in which the network sees a volume's slices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

HEAD_SHARE = 200 / 256
"""Of the frame's side that the head takes, as in the training pictures."""

SIDES = (130.0, 280.0)
"""Limits in mm of the head's longer side: less is part of a head, more is not only a head."""

Box = tuple[int, int, int, int]


def head_frame(head: torch.Tensor, spacing: Sequence[float]) -> Box:
    """Choose the frame; it depends on the head and not on the field of view.

    Args:
        head: bool (H, W, D), with at least one voxel set.
        spacing: millimetres per row and per column.

    Returns:
        first row, first column, rows and columns; may reach beyond the slices.
    """
    sides, middles = [], []
    for axis, step in zip((0, 1), spacing, strict=True):
        places = head.any(dim=2).any(dim=1 - axis).nonzero()
        first, last = int(places.min()), int(places.max()) + 1
        sides.append((last - first) * step)
        middles.append((first + last) / 2)
    side = min(max(*sides, SIDES[0]), SIDES[1]) / HEAD_SHARE
    sizes = [max(2, round(side / step)) for step in spacing]
    corner = [round(middle - size / 2) for middle, size in zip(middles, sizes, strict=True)]
    return corner[0], corner[1], sizes[0], sizes[1]


def cut(image: torch.Tensor, box: Box) -> torch.Tensor:
    """Cut a frame out of (B, C, H, W); zeros where it reaches beyond."""
    row, column, rows, columns = box
    height, width = image.shape[-2:]
    return functional.pad(image, [-column, column + columns - width, -row, row + rows - height])


def put_back(field: torch.Tensor, box: Box, size: Sequence[int]) -> torch.Tensor:
    """Bring what was found in a frame back to slices of a size; its rim goes on outside.

    Args:
        field: (B, C, rows, columns).
        box: the frame.
        size: (H, W).
    """
    row, column, rows, columns = box
    i = (torch.arange(size[0], device=field.device) - row).clamp(0, rows - 1)
    j = (torch.arange(size[1], device=field.device) - column).clamp(0, columns - 1)
    return field[..., i, :][..., j]
