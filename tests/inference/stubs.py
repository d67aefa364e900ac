"""A network whose field and fusion are known, to test everything around it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import SimpleITK as sitk
import torch
from monai.networks.blocks import Warp

from bundle.geometry.slices import field_from_slices, to_slices

AMPLITUDE = 0.03
"""Largest displacement per axis, as a share of the image's side."""


class KnownMatch(NamedTuple):
    """What the reconstruction takes: the field and nothing else."""

    ddf: torch.Tensor


class Brightest(torch.nn.Module):
    """Whatever the field, fused is max(fixed, warped)."""

    def guided(self, image: torch.Tensor, ddf: torch.Tensor) -> KnownMatch:
        return KnownMatch(ddf)

    def coefficients(self, image: torch.Tensor, match: KnownMatch) -> torch.Tensor:
        maximum = torch.tensor([0.0, 0.0, 1.0, 0.0], device=image.device)
        return maximum.view(1, 4, 1, 1).repeat(len(image), 1, 2, 2)


def known_field(height: int, width: int, batch: int = 1) -> torch.Tensor:
    """The same smooth deformation of the anatomy at every resolution, in voxels, ij."""
    rows = (torch.arange(height) + 0.5) / height
    columns = (torch.arange(width) + 0.5) / width
    u, v = torch.meshgrid(rows, columns, indexing="ij")
    ddf_i = AMPLITUDE * height * torch.sin(2 * math.pi * v) * torch.cos(math.pi * u)
    ddf_j = -0.5 * AMPLITUDE * width * torch.cos(2 * math.pi * u)
    return torch.stack([ddf_i, ddf_j]).expand(batch, -1, -1, -1)


class KnownField(Brightest):
    """``register`` returns :func:`known_field`; ``fuse`` is max(fixed, warped)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.registered: list[tuple[int, ...]] = []

    def register(self, image: torch.Tensor) -> torch.Tensor:
        self.registered.append(tuple(image.shape[-2:]))
        return self.weight.detach() * known_field(*image.shape[-2:], batch=image.shape[0])

    def fuse(self, image: torch.Tensor, ddf: torch.Tensor) -> torch.Tensor:
        warped = Warp(mode="bilinear", padding_mode="zeros")(image[:, 1:], ddf)
        return torch.maximum(image[:, :1], warped)

    def match(self, image: torch.Tensor) -> KnownMatch:
        return KnownMatch(self.register(image))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        ddf = self.register(image)
        return torch.cat([self.fuse(image, ddf), ddf], dim=1)


def constant(*voxels: float) -> Callable[..., sitk.Image]:
    """A stand-in for ``spline_field``: one displacement everywhere; slice, row, column."""

    def field(fixed: sitk.Image, *_: object) -> sitk.Image:
        steps = torch.tensor(voxels, dtype=torch.float64).view(3, 1, 1, 1)
        return field_from_slices(steps.expand(3, *to_slices(fixed).shape[1:]), fixed)

    return field
