"""Random elastic affine transformation (REAT) with its exact inverse field."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from monai.networks.blocks import Warp
from monai.transforms import MapTransform, Randomizable
from monai.utils import convert_to_tensor

from bundle.networks.warp import warp_tokens
from bundle.transforms.elastic import elastic_displacement, smooth_displacement
from bundle.transforms.maps import affine_matrix, apply_affine, centred_grid, invert


@dataclass(frozen=True)
class Level:
    """A level of misalignment, in pixels of a 256 x 256 picture.

    Attributes:
        rotation: half range of the rotation in degrees.
        scale: half range of the scaling.
        translation: half range of the translation in px.
        sigma: width of the Gaussian that the elastic part looks smoothed by, in px.
        std: standard deviation of each component of the elastic displacement, in px.
    """

    rotation: float = 0.0
    scale: float = 0.0
    translation: float = 0.0
    sigma: float = 16.0
    std: float = 0.0


LEVELS = {
    "aligned": Level(),
    "small": Level(translation=2.5, sigma=16.0, std=2.6),
    "medium": Level(rotation=5.0, scale=0.05, translation=8.0, sigma=20.0, std=4.0),
    "large": Level(rotation=10.0, scale=0.10, translation=16.0, sigma=24.0, std=6.0),
}
REFERENCE_SIZE = 256.0


def known_levels(names: Sequence[str]) -> list[str]:
    """The names as a list; raises KeyError if one is not in :data:`LEVELS`."""
    unknown = set(names) - set(LEVELS)
    if unknown:
        raise KeyError(f"unknown level {sorted(unknown)}; there are {list(LEVELS)}")
    return list(names)


def source_displacements(
    elastic: torch.Tensor, matrix: torch.Tensor, shape: torch.Tensor, pose: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the pictures of a posed, then misaligned pair come from.

    Args:
        elastic: of the misalignment, (B, 2, H, W), voxels, ij.
        matrix: of the misalignment, (B, 3, 3), on centred voxel coordinates.
        shape: elastic displacement of the common pose, (B, 2, H, W).
        pose: affine map of the common pose, (B, 3, 3).

    Returns:
        displacements of the posed and of the deformed picture, each (B, 2, H, W), voxels, ij,
        pull-back from the pictures as they were.
    """
    grid = centred_grid(elastic.shape[2:], elastic.device)
    source = apply_affine(grid + elastic, matrix)
    at_source = source + warp_tokens(shape, source - grid)
    return apply_affine(grid + shape, pose) - grid, apply_affine(at_source, pose) - grid


class RandMisalignd(Randomizable, MapTransform):
    """Misalign the moving picture of an aligned pair and keep the true inverse field.

    Both pictures first get a common random pose (if ``pose``): otherwise the moving one's
    centre alone would tell most of its shift. The aligned level is resampled like the others,
    so that sharpness does not tell the level. Each picture is interpolated once.

    Adds ``deformed``, ``aligned`` (the moving picture as it should come out), ``ddf``
    (2, H, W; voxels, ij, pull-back: ``aligned(x) = deformed(x + ddf(x))``) and ``level``; where
    the item has ``labels`` (1, H, W), ``deformed_labels`` too (nearest neighbour).

    Args:
        fixed: key of the fixed picture (C, H, W).
        moving: key of the moving picture (C, H, W), same size.
        levels: names out of :data:`LEVELS`; one is drawn unless the item has a ``level``.
        weights: probability of each level, equal by default.
        pose: largest common rotation in degrees; 0 = no common pose at all.
        pose_scale: half range of the common scaling.
        pose_translation: half range of the common translation in px of 256.
        pose_elastic: standard deviation of a common elastic deformation in px of 256: heads of
            other shapes, so that the shape of a patient's head cannot be learnt by heart.
        pose_prob: share of pairs that get a common pose; the others stay as sharp as they are.

    Raises:
        KeyError: an unknown level.
    """

    def __init__(
        self,
        fixed: Hashable = "fixed",
        moving: Hashable = "moving",
        levels: Sequence[str] = tuple(LEVELS),
        weights: Sequence[float] | None = None,
        pose: float = 0.0,
        pose_scale: float = 0.15,
        pose_translation: float = 12.0,
        pose_elastic: float = 0.0,
        pose_prob: float = 1.0,
    ) -> None:
        MapTransform.__init__(self, [fixed, moving])
        self.fixed, self.moving = fixed, moving
        self.levels = known_levels(levels)
        total = sum(weights) if weights is not None else 1.0
        self.weights = None if weights is None else [weight / total for weight in weights]
        self.pose, self.pose_scale, self.pose_translation = pose, pose_scale, pose_translation
        self.pose_elastic, self.pose_prob = pose_elastic, pose_prob
        self.warp = Warp("bilinear", "zeros")
        self.warp_labels = Warp("nearest", "zeros")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Apply to one item."""
        item = dict(data)
        fixed = convert_to_tensor(item[self.fixed]).float()
        moving = convert_to_tensor(item[self.moving]).float()
        size = fixed.shape[1:]
        level = item.get("level") or str(self.R.choice(self.levels, p=self.weights))
        elastic, matrix = self._draw(LEVELS[level], size)
        pose, shape = self._draw_pose(size)
        posed, displaced = (
            one[0]
            for one in source_displacements(elastic[None], matrix[None], shape[None], pose[None])
        )
        item["aligned"] = self._sample(moving, posed)
        item["deformed"] = self._sample(moving, displaced)
        if "labels" in item:
            labels = convert_to_tensor(item["labels"]).float()[None]
            for key, displacement in (("labels", posed), ("deformed_labels", displaced)):
                item[key] = self.warp_labels(labels, displacement[None])[0]
        if self.pose > 0:
            fixed = self._sample(fixed, posed)
        item[self.fixed] = fixed
        item["ddf"] = invert(elastic[None], matrix[None])[0]
        item["level"] = level
        return item

    def _draw(self, level: Level, size: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        ratio = max(size) / REFERENCE_SIZE
        elastic = elastic_displacement(size, level.sigma * ratio, level.std * ratio, self.R)
        matrix = affine_matrix(size, level.rotation, level.scale, level.translation * ratio, self.R)
        return elastic, matrix

    def _draw_pose(self, size: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Common affine map (3, 3) and the elastic displacement (2, H, W) before it."""
        ratio = max(size) / REFERENCE_SIZE
        shape = torch.zeros(2, *size)
        if self.pose == 0:
            return torch.eye(3), shape
        if self.pose_prob < 1 and self.R.random_sample() >= self.pose_prob:
            return torch.eye(3), shape
        if self.pose_elastic > 0:
            shape = smooth_displacement(size, self.pose_elastic * ratio, self.R)
        translation = self.pose_translation * ratio
        matrix = affine_matrix(size, self.pose, self.pose_scale, translation, self.R)
        flip = torch.tensor([1.0, float(self.R.choice([-1.0, 1.0])), 1.0])
        return torch.diag(flip) @ matrix, shape

    def _sample(self, image: torch.Tensor, displacement: torch.Tensor) -> torch.Tensor:
        return self.warp(image[None], displacement[None])[0]
