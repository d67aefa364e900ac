"""The network of volumes: a displacement field in three dimensions, from coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from bundle.networks.volume_correlation import REACH, correlation

CHANNELS = (24, 48, 64)
"""Of the features at strides 2, 4 and 8."""

STRIDE = 4
"""Voxels of the images per voxel of the field: what it describes is smooth."""


@dataclass(frozen=True)
class VolumeField:
    """What :class:`VolumeRegNet` finds.

    Attributes:
        ddf: (B, 3, H / 4, W / 4, D / 4), voxels of the images, channels in the order of their axes,
            pull-back. Voxels of field and images have their outer edges in common.
        spread: (B, 1, H / 4, W / 4, D / 4), expected length of its error, voxels of the images.
        coarse: fields at strides 16 and 8; only in training.
    """

    ddf: torch.Tensor
    spread: torch.Tensor
    coarse: tuple[torch.Tensor, ...] = ()


class VolumeRegNet(nn.Module):
    """Register volumes of 2 mm that a rigid start has brought together.

    Features of both images at strides 2, 4 and 8, of a branch each, since contrasts differ. At
    every scale, coarsest first, the moving features are warped by the field so far, correlated
    with the fixed ones around each place, and a few convolutions at half the resolution add to
    the field: the idea of PWC-Net (Sun et al., CVPR 2018) in three dimensions.

    Args:
        channels: of the features, finest scale first.
        width: channels of the estimators.
    """

    def __init__(self, channels: tuple[int, int, int] = CHANNELS, width: int = 64) -> None:
        super().__init__()
        self.fixed_features = Features(channels)
        self.moving_features = Features(channels)
        self.estimators = nn.ModuleList(Estimator(count, width) for count in channels)

    def forward(self, image: torch.Tensor) -> VolumeField:
        """Find the field.

        Args:
            image: (B, 2, H, W, D) in [0, 1], fixed and moving, voxels of 2 mm, sides that divide
                by 16; rows from front to back, columns from right to left, slices upwards.
        """
        fixed = self.fixed_features(image[:, :1])
        moving = self.moving_features(image[:, 1:])
        sides = [n // 2 for n in fixed[-1].shape[2:]]
        field = torch.zeros(len(image), 3, *sides, device=image.device)  # voxels of its own scale
        fields: list[torch.Tensor] = []
        error = field[:, :1]
        for level in reversed(range(len(fixed))):
            if fields:
                field = 2 * functional.interpolate(field, scale_factor=2.0, mode="trilinear")
            found = self.estimators[level](fixed[level], moving[level], field)
            field, error = field + found[:, :3], found[:, 3:]
            fields.append(field * (STRIDE * 2**level))
        spread = STRIDE * functional.softplus(error) + 1e-3
        return VolumeField(fields[-1], spread, tuple(fields[:-1]) if self.training else ())


class Features(nn.Module):
    """Features of one image at strides 2, 4 and 8: (B, 1, H, W, D) to three maps, finest first."""

    def __init__(self, channels: tuple[int, int, int]) -> None:
        super().__init__()
        self.stem = nn.Sequential(_Normed(8, channels[0]), _Normed(channels[0], channels[0]))
        self.down = nn.ModuleList(
            nn.Sequential(_Normed(before, after, stride=2), _Normed(after, after))
            for before, after in zip(channels[:-1], channels[1:], strict=True)
        )

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """All maps."""
        maps = [self.stem(_blocks(image))]
        for layer in self.down:
            maps.append(layer(maps[-1]))
        return maps


class Estimator(nn.Module):
    """What is to be added to a field, and the logit of its error, from features twice as fine.

    Args:
        channels: of the features.
        width: channels of the convolutions.
        compared: channels that are correlated.
    """

    def __init__(self, channels: int, width: int, compared: int = 16) -> None:
        super().__init__()
        self.fixed_key = nn.Conv3d(channels, compared, 1, bias=False)
        self.moving_key = nn.Conv3d(channels, compared, 1, bias=False)
        self.entry = nn.Conv3d(REACH**3 + 2 * channels, width, 3, stride=2, padding=1)
        self.body = nn.Sequential(
            nn.LeakyReLU(0.1),
            nn.Conv3d(width + 3, width, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv3d(width, width, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv3d(width, width, 3, padding=1),
            nn.LeakyReLU(0.1),
        )
        self.head = nn.Conv3d(width, 4, 3, padding=1)
        nn.init.normal_(self.head.weight, std=1e-3)

    def forward(
        self, fixed: torch.Tensor, moving: torch.Tensor, field: torch.Tensor
    ) -> torch.Tensor:
        """Compare under a field.

        Args:
            fixed: (B, C, 2h, 2w, 2d).
            moving: the same shape.
            field: (B, 3, h, w, d), voxels of its own scale, pull-back.

        Returns:
            (B, 4, h, w, d): displacements in voxels of the field's scale, and the logit.
        """
        field = field.detach()
        fine = 2 * functional.interpolate(field, scale_factor=2.0, mode="trilinear")
        warped = warp_features(moving, fine)
        keys = self.fixed_key(fixed), self.moving_key(warped)
        match = correlation(*(functional.normalize(key, dim=1) for key in keys))
        known = self.entry(torch.cat([match, fixed, warped], dim=1))
        return self.head(self.body(torch.cat([known, field.to(known)], dim=1))).float()


class _Normed(nn.Sequential):
    """Convolution, instance normalisation, leaky ReLU: features that any contrast can have."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv3d(before, after, 3, stride=stride, padding=1, bias=False),
            nn.InstanceNorm3d(after, affine=True),
            nn.LeakyReLU(0.1),
        )


def warp_features(features: torch.Tensor, field: torch.Tensor) -> torch.Tensor:
    """Features at the places that a field points to; beyond the rim the outermost go on.

    Args:
        features: (B, C, h, w, d).
        field: (B, 3, h, w, d), voxels, pull-back.
    """
    sizes = field.shape[2:]
    axes = [torch.arange(n, device=field.device, dtype=torch.float32) for n in sizes]
    places = torch.stack(torch.meshgrid(*axes, indexing="ij")) + field.float()
    half = torch.tensor(sizes, device=field.device).view(3, 1, 1, 1) / 2
    grid = ((places + 0.5) / half - 1).flip(1).permute(0, 2, 3, 4, 1)
    warped = functional.grid_sample(
        features.float(), grid, padding_mode="border", align_corners=False
    )
    return warped.to(features.dtype)


def _blocks(image: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W, D) to (B, 8, H / 2, W / 2, D / 2): the voxels of each block as channels."""
    split = image.unflatten(4, (-1, 2)).unflatten(3, (-1, 2)).unflatten(2, (-1, 2))[:, 0]
    return split.permute(0, 2, 4, 6, 1, 3, 5).flatten(1, 3)
