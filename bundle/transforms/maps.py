"""Misalignments of a batch: what they are drawn from, and those that were drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from bundle.domain import LEVELS, known_levels
from bundle.geometry.inverse_map import apply_affine, centred_grid
from bundle.geometry.warp import warp_tokens


@dataclass(frozen=True)
class Spread:
    """What misalignments are drawn from.

    Attributes:
        levels: names out of :data:`bundle.domain.LEVELS`.
        weights: probability of each level, equal by default.
        pose: largest common rotation in degrees; 0 = no common pose at all.
        pose_scale: half range of the common scaling.
        pose_translation: half range of the common translation in px of 256.
        pose_elastic: standard deviation of a common elastic deformation in px of 256: heads of
            other shapes, so that the shape of a patient's head cannot be learnt by heart.

    Raises:
        KeyError: an unknown level.
    """

    levels: Sequence[str] = tuple(LEVELS)
    weights: Sequence[float] | None = None
    pose: float = 0.0
    pose_scale: float = 0.15
    pose_translation: float = 12.0
    pose_elastic: float = 0.0

    def __post_init__(self) -> None:
        known_levels(self.levels)

    @property
    def shares(self) -> list[float]:
        """Probabilities of ``levels``."""
        weights = self.weights or [1.0] * len(self.levels)
        return [weight / sum(weights) for weight in weights]


@dataclass(frozen=True)
class Maps:
    """The drawn maps of a batch; an item is a batch of one.

    Both pictures of a pair first take a common pose, y -> P(y + s(y)); then the moving one is
    misaligned by y -> A(y + e(y)). All maps go from a point of the new picture to the point that
    it comes from.

    Attributes:
        elastic: e, (B, 2, H, W), voxels, ij.
        matrix: A, (B, 3, 3), on centred voxel coordinates ij.
        shape: s, (B, 2, H, W), voxels, ij; None = no common pose.
        pose: P, (B, 3, 3), on centred voxel coordinates ij; None = no common pose.
    """

    elastic: torch.Tensor
    matrix: torch.Tensor
    shape: torch.Tensor | None = None
    pose: torch.Tensor | None = None

    def sources(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Where the posed and the deformed pictures come from.

        Returns:
            displacements of both, each (B, 2, H, W), voxels, ij, pull-back from the pictures as
            they were.
        """
        grid = centred_grid(self.elastic.shape[2:], self.elastic.device)
        source = apply_affine(grid + self.elastic, self.matrix)
        if self.shape is None or self.pose is None:
            return torch.zeros_like(self.elastic), source - grid
        at_source = source + warp_tokens(self.shape, source - grid)
        posed = apply_affine(grid + self.shape, self.pose)
        return posed - grid, apply_affine(at_source, self.pose) - grid
