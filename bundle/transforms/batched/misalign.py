"""REAT of batches: the same maps as those of single items, drawn and inverted on the device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import torch
from monai.transforms.utils import create_control_grid
from torch.nn import functional

from bundle.networks.warp import warp_tokens
from bundle.transforms.batched.random import chosen, normal, uniform
from bundle.transforms.elastic import MAGNITUDE_PER_STD, POSE_KNOTS, SPACING_PER_SIGMA
from bundle.transforms.maps import inverse_in_steps
from bundle.transforms.reat import (
    LEVELS,
    REFERENCE_SIZE,
    Level,
    known_levels,
    source_displacements,
)


def random_affine(ranges: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Random affine maps about the centre, as :func:`bundle.transforms.maps.affine_matrix`.

    Args:
        ranges: (3, B), half ranges of the rotation in degrees, of the scaling, and of the
            translation in voxels.
        random: source of randomness.

    Returns:
        (B, 3, 3): a scaling, then a shift, then a rotation of centred voxel coordinates ij.
    """
    batch = ranges.shape[1]
    angle = uniform(random, (batch,), -1.0, 1.0) * ranges[0] * (math.pi / 180)
    scaling = 1.0 + uniform(random, (batch, 2), -1.0, 1.0) * ranges[1, :, None]
    shift = uniform(random, (batch, 2), -1.0, 1.0) * ranges[2, :, None]
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([cos, -sin, sin, cos], dim=1).view(batch, 2, 2)
    upper = torch.cat([turn * scaling[:, None], turn @ shift[:, :, None]], dim=2)
    last = torch.zeros_like(upper[:, :1])
    last[..., 2] = 1.0
    return torch.cat([upper, last], dim=1)


def random_elastic(
    batch: int, size: Sequence[int], sigma: float, std: float, random: torch.Generator
) -> torch.Tensor:
    """Smooth random displacements, as :func:`bundle.transforms.elastic.elastic_displacement`.

    Args:
        batch: how many.
        size: (H, W).
        sigma: smoothness in voxels.
        std: standard deviation of each component in voxels.
        random: source of randomness.

    Returns:
        (B, 2, H, W), voxels, ij.
    """
    spacing = max(1, round(SPACING_PER_SIGMA * sigma))
    knots = _knots(tuple(size), spacing)
    offsets = MAGNITUDE_PER_STD * std * normal(random, (batch, 2, *knots))
    field = functional.interpolate(
        offsets, scale_factor=float(spacing), mode="bicubic", align_corners=False
    )
    top, left = ((have - want) // 2 for have, want in zip(field.shape[2:], size, strict=True))
    return field[..., top : top + size[0], left : left + size[1]]


@lru_cache(maxsize=16)
def _knots(size: tuple[int, ...], spacing: int) -> tuple[int, ...]:
    """Numbers of control points of MONAI's elastic deformations."""
    return tuple(create_control_grid(size, (spacing, spacing)).shape[1:])


class BatchMisalign:
    """Misalign the moving pictures and keep the true inverse fields.

    Adds ``deformed``, ``aligned``, ``ddf`` (B, 2, H, W; voxels, ij, pull-back) and ``level`` (B,),
    places in :data:`LEVELS`, as :class:`bundle.transforms.reat.RandMisalignd` does, with the same
    arguments.
    """

    def __init__(
        self,
        levels: Sequence[str] = tuple(LEVELS),
        weights: Sequence[float] | None = None,
        pose: float = 0.0,
        pose_scale: float = 0.15,
        pose_translation: float = 12.0,
        pose_elastic: float = 0.0,
        pose_prob: float = 1.0,
    ) -> None:
        names = known_levels(levels)
        shares = dict(zip(names, weights or [1.0] * len(names), strict=True))
        self.shares = [shares.get(name, 0.0) / sum(shares.values()) for name in LEVELS]
        self.pose, self.pose_scale, self.pose_translation = pose, pose_scale, pose_translation
        self.pose_elastic, self.pose_prob = pose_elastic, pose_prob

    def __call__(self, batch: dict[str, Any], random: torch.Generator) -> dict[str, Any]:
        """Apply to one batch."""
        fixed, moving = batch["fixed"], batch["moving"]
        size = fixed.shape[2:]
        position = uniform(random, (len(fixed),))
        level = torch.zeros_like(position, dtype=torch.long)
        for bound in list(accumulate(self.shares))[:-1]:
            level = level + (position >= bound)
        elastic, matrix = self._maps(level, size, random)
        shape, pose = self._poses(len(fixed), size, random)
        posed, displaced = source_displacements(elastic, matrix, shape, pose)
        return batch | {
            "fixed": warp_tokens(fixed, posed, "zeros") if self.pose > 0 else fixed,
            "aligned": warp_tokens(moving, posed, "zeros"),
            "deformed": warp_tokens(moving, displaced, "zeros"),
            "ddf": inverse_in_steps(elastic, matrix),
            "level": level,
        }

    def _maps(
        self, level: torch.Tensor, size: torch.Size, random: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Elastic displacements (B, 2, H, W) and affine maps (B, 3, 3) of the drawn levels."""
        ratio = max(size) / REFERENCE_SIZE
        elastic = torch.zeros(len(level), 2, *size, device=random.device)
        ranges = torch.zeros(3, len(level), device=random.device)
        for index, (one, share) in enumerate(zip(LEVELS.values(), self.shares, strict=True)):
            if one == Level() or share == 0:
                continue
            drawn = (level == index).float()
            field = random_elastic(
                len(level), size, one.sigma * ratio, one.std * ratio, random
            )  # of all pairs: to choose them costs more on a GPU
            elastic = elastic + field * drawn[:, None, None, None]
            spread = (one.rotation, one.scale, one.translation * ratio)
            ranges = ranges + torch.stack([drawn * half for half in spread])
        return elastic, random_affine(ranges, random)

    def _poses(
        self, count: int, size: torch.Size, random: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Common elastic displacements (B, 2, H, W) and affine maps (B, 3, 3)."""
        ratio = max(size) / REFERENCE_SIZE
        posed = float(self.pose > 0)
        knots = normal(random, (count, 2, POSE_KNOTS, POSE_KNOTS))
        knots = knots * (self.pose_elastic * ratio * posed)
        shape = functional.interpolate(knots, tuple(size), mode="bicubic", align_corners=True)
        kept = chosen(random, count, self.pose_prob)
        spread = (self.pose, self.pose_scale * posed, self.pose_translation * ratio * posed)
        one = torch.ones(count, device=random.device)
        matrix = random_affine(torch.stack([one * half for half in spread]), random)
        flipped = (uniform(random, (count,)) < 0.5) & (self.pose > 0)
        columns = torch.where(flipped, -one, one)
        matrix = torch.stack([one, columns, one], dim=1)[:, :, None] * matrix
        still = torch.eye(3, device=random.device)
        return torch.where(kept, shape, 0.0), torch.where(kept[:, 0], matrix, still)
