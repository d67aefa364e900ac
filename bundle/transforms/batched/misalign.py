"""REAT of batches: the same maps as those of single items, drawn and inverted on the device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.blocks import Warp
from monai.transforms.utils import create_control_grid
from torch.nn import functional

from bundle.transforms.batched.random import normal, uniform
from bundle.transforms.elastic import MAGNITUDE_PER_STD, POSE_KNOTS, SPACING_PER_SIGMA
from bundle.transforms.maps import invert
from bundle.transforms.reat import LEVELS, REFERENCE_SIZE, Level, source_displacements


def random_affine(
    batch: int, rotation: float, scale: float, translation: float, random: torch.Generator
) -> torch.Tensor:
    """Random affine maps about the centre, as :func:`bundle.transforms.maps.affine_matrix`.

    Args:
        batch: how many.
        rotation: half range in degrees.
        scale: half range of the scaling.
        translation: half range in voxels.
        random: source of randomness.

    Returns:
        (B, 3, 3): a scaling, then a shift, then a rotation of centred voxel coordinates ij.
    """
    angle = uniform(random, (batch,), -1.0, 1.0) * math.radians(rotation)
    shift = uniform(random, (batch, 2), -translation, translation)
    scaling = uniform(random, (batch, 2), 1.0 - scale, 1.0 + scale)
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([cos, -sin, sin, cos], dim=1).view(batch, 2, 2)
    matrix = torch.eye(3, device=random.device).repeat(batch, 1, 1)
    matrix[:, :2, :2] = turn * scaling[:, None]
    matrix[:, :2, 2] = (turn @ shift[:, :, None])[..., 0]
    return matrix


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
    knots = create_control_grid(size, (spacing, spacing)).shape[1:]
    offsets = MAGNITUDE_PER_STD * std * normal(random, (batch, 2, *knots))
    field = functional.interpolate(
        offsets, scale_factor=float(spacing), mode="bicubic", align_corners=False
    )
    top, left = ((have - want) // 2 for have, want in zip(field.shape[2:], size, strict=True))
    return field[..., top : top + size[0], left : left + size[1]]


class BatchMisalign:
    """Misalign the moving pictures and keep the true inverse fields.

    Adds ``deformed``, ``aligned``, ``ddf`` (B, 2, H, W; voxels, ij, pull-back) and ``level``, B
    names, as :class:`bundle.transforms.reat.RandMisalignd` does, with the same arguments.
    """

    def __init__(
        self,
        levels: Sequence[str] = tuple(LEVELS),
        weights: Sequence[float] | None = None,
        pose: float = 0.0,
        pose_scale: float = 0.15,
        pose_translation: float = 12.0,
        pose_elastic: float = 0.0,
    ) -> None:
        unknown = set(levels) - set(LEVELS)
        if unknown:
            raise KeyError(f"unknown level {sorted(unknown)}; there are {list(LEVELS)}")
        self.levels = list(levels)
        self.weights = list(weights) if weights is not None else [1.0] * len(self.levels)
        self.pose, self.pose_scale, self.pose_translation = pose, pose_scale, pose_translation
        self.pose_elastic = pose_elastic
        self.warp = Warp("bilinear", "zeros")

    def __call__(self, batch: dict[str, Any], random: torch.Generator) -> dict[str, Any]:
        """Apply to one batch."""
        fixed, moving = batch["fixed"], batch["moving"]
        count, size = len(fixed), fixed.shape[2:]
        weights = torch.tensor(self.weights, device=random.device).expand(count, -1)
        drawn = torch.multinomial(weights, 1, generator=random)[:, 0].tolist()
        elastic, matrix = self._maps(drawn, size, random)
        shape, pose = self._poses(count, size, random)
        posed, displaced = source_displacements(elastic, matrix, shape, pose)
        return batch | {
            "fixed": self.warp(fixed, posed) if self.pose > 0 else fixed,
            "aligned": self.warp(moving, posed),
            "deformed": self.warp(moving, displaced),
            "ddf": invert(elastic, matrix),
            "level": [self.levels[index] for index in drawn],
        }

    def _maps(
        self, drawn: list[int], size: torch.Size, random: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Elastic displacements (B, 2, H, W) and affine maps (B, 3, 3) of the drawn levels."""
        ratio = max(size) / REFERENCE_SIZE
        elastic = torch.zeros(len(drawn), 2, *size, device=random.device)
        matrix = torch.eye(3, device=random.device).repeat(len(drawn), 1, 1)
        for index, name in enumerate(self.levels):
            level: Level = LEVELS[name]
            where = [i for i, one in enumerate(drawn) if one == index]
            if not where or level == Level():
                continue
            elastic[where] = random_elastic(
                len(where), size, level.sigma * ratio, level.std * ratio, random
            )
            matrix[where] = random_affine(
                len(where), level.rotation, level.scale, level.translation * ratio, random
            )
        return elastic, matrix

    def _poses(
        self, count: int, size: torch.Size, random: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Common elastic displacements (B, 2, H, W) and affine maps (B, 3, 3)."""
        ratio = max(size) / REFERENCE_SIZE
        knots = normal(random, (count, 2, POSE_KNOTS, POSE_KNOTS)) * self.pose_elastic * ratio
        shape = functional.interpolate(knots, tuple(size), mode="bicubic", align_corners=True)
        if self.pose == 0:
            return shape, torch.eye(3, device=random.device).repeat(count, 1, 1)
        translation = self.pose_translation * ratio
        matrix = random_affine(count, self.pose, self.pose_scale, translation, random)
        flip = torch.ones(count, 3, device=random.device)
        flip[:, 1] = torch.where(uniform(random, (count,)) < 0.5, -1.0, 1.0)
        return shape, flip[:, :, None] * matrix
