"""Combine two displacement fields of a volume: what counts where, what both miss, how far off."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from monai.networks.blocks import Warp
from monai.networks.nets import SegResNet
from torch import nn
from torch.nn import functional

from bundle.networks.cell_features import OFFSETS, CellFeatures, neighbour_correlation

CELL = 2
"""Voxels along each side of a cell, in which fields are combined."""

NORMAL = 4.0
"""Voxels: displacements are divided by it before the network sees them."""

FARTHEST = 10.0
"""Voxels: spreads above it count as much as it."""

MULTIPLE = 4
"""Cells along each axis of what SegResNet takes."""


@dataclass(frozen=True)
class TwoFields:
    """Two estimates of a displacement field, and what tells which one to trust.

    Displacements are in voxels of the images, channels in the order of the array axes, pull-back:
    ``warped(x) = moving(x + field(x))``. A cell has ``CELL`` voxels along each side.

    Attributes:
        image: (B, 2, CELL h, CELL w, CELL d) in [0, 1], fixed and moving.
        head: (B, 1, h, w, d), share of each cell that lies in the head.
        learnt: (B, 3, h, w, d), of BiMSRec in three planes.
        optimised: (B, 3, h, w, d), of the optimiser.
        spread: (B, 1, h, w, d), how much the estimates of the planes differ, voxels.
        weights: (B, 2), of both fields in their sum, by modality.
    """

    image: torch.Tensor
    head: torch.Tensor
    learnt: torch.Tensor
    optimised: torch.Tensor
    spread: torch.Tensor
    weights: torch.Tensor

    SIZES = (2 * CELL**3, 1, 3, 3, 1, 2)

    def packed(self) -> torch.Tensor:
        """All of it as channels of the cells, (B, 26, h, w, d)."""
        cells = self.head.shape[2:]
        weights = self.weights[:, :, None, None, None].expand(-1, -1, *cells)
        parts = (self.head, self.learnt, self.optimised, self.spread, weights)
        return torch.cat([_to_cells(self.image), *parts], dim=1)

    @classmethod
    def unpacked(cls, packed: torch.Tensor) -> TwoFields:
        """The inverse of :meth:`packed`."""
        image, head, learnt, optimised, spread, weights = packed.split(cls.SIZES, dim=1)
        image, weights = _to_voxels(image), weights[:, :, 0, 0, 0]
        return cls(image, head, learnt, optimised, spread, weights)

    @property
    def sum(self) -> torch.Tensor:
        """The weighted sum of both, (B, 3, h, w, d)."""
        first, second = self.weights[:, :, None, None, None, None].unbind(dim=1)
        return first * self.learnt + second * self.optimised


class FieldCombiner(nn.Module):
    """Correct the weighted sum of two fields, cell by cell.

    It sees the fixed volume, the moving one as it is and as the sum warps it, both fields, and how
    alike learnt features of both volumes are where the sum puts them and one cell further: so it
    can tell where the fields bring the images closer, and where they do not. It gives for
    each component what is to be added to the weights of both, and a displacement: where
    the images say little, the neighbourhood tells. Outside the head nothing is added. It also
    gives the spread: 95 % of errors are meant to lie below twice of it.

    Args:
        width: channels at full resolution.
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.fixed_features = CellFeatures(CELL**3)
        self.moving_features = CellFeatures(CELL**3 + TwoFields.SIZES[-1])
        self.network = SegResNet(
            spatial_dims=3, init_filters=width,
            in_channels=sum(TwoFields.SIZES) + CELL**3 + 1 + len(OFFSETS),
            out_channels=10, blocks_down=(1, 1, 1), blocks_up=(1, 1),
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it uses torch's own sampling
            self.warp = Warp(mode="bilinear", padding_mode="border")
        last = self.network.conv_final[-1].conv
        nn.init.zeros_(last.weight)  # it begins with the sum
        nn.init.zeros_(last.bias)

    def forward(self, packed: torch.Tensor) -> torch.Tensor:
        """Combine.

        Args:
            packed: see :meth:`TwoFields.packed`.

        Returns:
            (B, 4, h, w, d), float32, voxels: the field and its spread, above 0.
        """
        fields = TwoFields.unpacked(packed.float())
        seen = torch.cat([self._seen(fields), self._alike(fields)], dim=1)
        outputs = _cropped(self.network(_padded(seen)), seen).float()
        first, second, more, spread = outputs.split((3, 3, 3, 1), dim=1)
        correction = first * fields.learnt + second * fields.optimised + NORMAL * more
        near = functional.avg_pool3d(fields.head, 5, 1, 2)
        # torch's exp of single precision depends on the number of threads in the last digit
        positive = functional.softplus(spread.double()).float()
        return torch.cat([fields.sum + near * correction, positive], dim=1)

    def _seen(self, fields: TwoFields) -> torch.Tensor:
        """(B, 35, h, w, d), all of about the same range."""
        fixed, moving = fields.image.split(1, dim=1)
        full = functional.interpolate(fields.sum, scale_factor=CELL, mode="trilinear")
        sources = torch.cat([fixed, moving, self._warped(moving, full)], dim=1)
        differ = (fields.learnt - fields.optimised).norm(dim=1, keepdim=True)
        vectors = torch.cat([fields.learnt, fields.optimised, differ], dim=1) / NORMAL
        spread = fields.spread.clamp(max=FARTHEST) / NORMAL
        return torch.cat(
            [_to_cells(sources), fields.head, vectors, spread, _in_cells(fields.weights, differ)],
            dim=1,
        )

    def _alike(self, fields: TwoFields) -> torch.Tensor:
        """Correlation of features where the sum puts them, (B, 7, h, w, d)."""
        fixed, moving = (_to_cells(one) for one in fields.image.split(1, dim=1))
        told = torch.cat([moving, _in_cells(fields.weights, moving)], dim=1)
        warped = self._warped(self.moving_features(told), fields.sum / CELL)
        return neighbour_correlation(self.fixed_features(fixed), warped)

    def _warped(self, volume: torch.Tensor, field: torch.Tensor) -> torch.Tensor:
        """Warp in single precision, whatever the rest computes in."""
        with torch.autocast(volume.device.type, enabled=False):
            warped: torch.Tensor = self.warp(volume, field)
        return warped


def _in_cells(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """(B, C) as (B, C, h, w, d), the same in every cell."""
    return values[:, :, None, None, None].expand(-1, -1, *like.shape[2:])


def _to_cells(voxels: torch.Tensor) -> torch.Tensor:
    """(B, C, CELL h, CELL w, CELL d) to (B, CELL^3 C, h, w, d)."""
    batch, channels, *sizes = voxels.shape
    height, width, depth = (size // CELL for size in sizes)
    parts = voxels.view(batch, channels, height, CELL, width, CELL, depth, CELL)
    return parts.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(batch, -1, height, width, depth)


def _to_voxels(cells: torch.Tensor) -> torch.Tensor:
    """The inverse of :func:`_to_cells`."""
    batch, channels, height, width, depth = cells.shape
    parts = cells.view(batch, channels // CELL**3, CELL, CELL, CELL, height, width, depth)
    sizes = (CELL * height, CELL * width, CELL * depth)
    return parts.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(batch, -1, *sizes)


def _padded(cells: torch.Tensor) -> torch.Tensor:
    more = [(-size) % MULTIPLE for size in reversed(cells.shape[2:])]
    return functional.pad(cells, [pad for one in more for pad in (0, one)], mode="replicate")


def _cropped(outputs: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    height, width, depth = cells.shape[2:]
    return outputs[:, :, :height, :width, :depth]
