"""Random elastic affine transformation (REAT) of the moving picture, with its inverse field."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.transforms import Randomizable, Transform
from monai.utils import convert_to_tensor
from torch.nn import functional

from bundle.domain import LEVELS
from bundle.geometry.inverse_map import invert
from bundle.geometry.warp import token_grid
from bundle.transforms import draw_monai, draw_on_device
from bundle.transforms.maps import Maps, Spread

STEPS = 25
"""Iterations of the inverse where nothing may wait for the device."""


def misaligned(
    maps: Maps,
    fixed: torch.Tensor,
    moving: torch.Tensor,
    labels: torch.Tensor | None = None,
    steps: int | None = None,
) -> dict[str, torch.Tensor]:
    """Misalign the moving pictures of aligned pairs and keep the true inverse fields.

    Both pictures first get their common pose: otherwise the moving one's centre alone would tell
    most of its shift. The aligned level is resampled like the others, so that sharpness does not
    tell the level. Each picture is interpolated once.

    Args:
        maps: of the batch.
        fixed: (B, C, H, W).
        moving: (B, C, H, W), same size.
        labels: of the fixed pictures, (B, 1, H, W).
        steps: of the inverse, see :func:`bundle.geometry.inverse_map.invert`.

    Returns:
        ``fixed``, ``aligned`` (the moving pictures as they should come out), ``deformed``, and
        ``ddf`` (B, 2, H, W; voxels, ij, pull-back: ``aligned(x) = deformed(x + ddf(x))``); with
        labels also ``labels`` and ``deformed_labels`` (nearest neighbour).
    """
    posed, displaced = maps.sources()
    found = {
        "fixed": fixed if maps.pose is None else _pulled(fixed, posed),
        "aligned": _pulled(moving, posed),
        "deformed": _pulled(moving, displaced),
        "ddf": invert(maps.elastic, maps.matrix, steps),
    }
    if labels is not None:
        found["labels"] = _pulled(labels, posed, "nearest")
        found["deformed_labels"] = _pulled(labels, displaced, "nearest")
    return found


def _pulled(
    image: torch.Tensor, displacement: torch.Tensor, mode: str = "bilinear"
) -> torch.Tensor:
    """MONAI's ``Warp`` with zeros outside, to the last bit, but without its grid from the CPU."""
    points = (token_grid(image) + displacement).movedim(1, -1)
    sides = zip(points.unbind(dim=-1), image.shape[2:], strict=True)
    rows, columns = (axis * 2 / max(side - 1, 1) - 1 for axis, side in sides)
    return functional.grid_sample(
        image, torch.stack([columns, rows], dim=-1), mode, padding_mode="zeros", align_corners=True
    )


class RandMisalignd(Randomizable, Transform):
    """Misalign one item: ``fixed`` and ``moving`` (C, H, W), and ``labels`` (1, H, W) if there.

    By the ``level`` that it names, out of :data:`bundle.domain.LEVELS`. Adds what
    :func:`misaligned` gives. It is what networks are judged on: no common pose, and fields from
    MONAI's own transforms.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Apply to one item."""
        item = dict(data)
        pictures = {
            key: convert_to_tensor(item[key]).float()[None]
            for key in ("fixed", "moving", "labels")
            if key in item
        }
        maps = draw_monai.draw(LEVELS[item["level"]], pictures["fixed"].shape[2:], self.R)
        return item | {key: value[0] for key, value in misaligned(maps, **pictures).items()}


class BatchMisalign:
    """Misalign a batch: ``fixed`` and ``moving`` (B, C, H, W).

    Adds what :func:`misaligned` gives, and ``level`` (B,), places in
    :data:`bundle.domain.LEVELS`.

    Args:
        levels: to draw from.
        arguments: the others of :class:`bundle.transforms.maps.Spread`.
    """

    def __init__(self, levels: Sequence[str] = tuple(LEVELS), **arguments: Any) -> None:
        self.spread = Spread(levels, **arguments)

    def __call__(self, batch: dict[str, Any], random: torch.Generator) -> dict[str, Any]:
        """Apply to one batch."""
        fixed, moving = batch["fixed"], batch["moving"]
        level = draw_on_device.draw_levels(self.spread, len(fixed), random)
        maps = draw_on_device.draw(self.spread, level, fixed.shape[2:], random)
        # a CPU may look whether it is there: a quarter of the time
        steps = None if random.device.type == "cpu" else STEPS
        return batch | misaligned(maps, fixed, moving, steps=steps) | {"level": level}
