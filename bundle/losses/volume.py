"""The loss of the network of volumes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from bundle.networks.volume_regnet import VolumeField


class VolumeLoss(nn.Module):
    """Distance of the fields from the true one, mm, and how well it was foretold.

    Args:
        voxel: mm per voxel of the images.
        coarse_weight: of the fields at the coarser scales.
        spread_weight: of the negative logarithm of the likelihood of the distance, which the
            spread alone is changed by.
    """

    def __init__(
        self, voxel: float = 2.0, coarse_weight: float = 0.3, spread_weight: float = 0.1
    ) -> None:
        super().__init__()
        self.voxel = voxel
        self.coarse_weight = coarse_weight
        self.spread_weight = spread_weight

    def forward(
        self, found: VolumeField, batch: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Compare.

        Args:
            found: of the network.
            batch: ``ddf`` (B, 3, h, w, d), mm, and ``weight`` (B, 1, h, w, d), on a finer grid.

        Returns:
            ``field``, ``coarse``, ``spread`` and the weighted sum, ``loss``.
        """
        true, weight = at_grid_of(found.ddf, batch["ddf"]), at_grid_of(found.ddf, batch["weight"])
        distance = _distance(self.voxel * found.ddf, true)
        spread = self.voxel * found.spread
        likelihood = distance.detach() / spread + spread.log()
        terms = {
            "field": _mean(distance, weight),
            "coarse": torch.stack([self._coarse(one, true, weight) for one in found.coarse]).mean(),
            "spread": _mean(likelihood, weight),
        }
        terms["loss"] = (
            terms["field"]
            + self.coarse_weight * terms["coarse"]
            + self.spread_weight * terms["spread"]
        )
        return terms

    def _coarse(
        self, field: torch.Tensor, true: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        return _mean(
            _distance(self.voxel * field, at_grid_of(field, true)), at_grid_of(field, weight)
        )


def at_grid_of(field: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Means of values on a finer grid, on that of a field."""
    return functional.avg_pool3d(values, values.shape[2] // field.shape[2])


def _distance(found: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """(B, 1, h, w, d); its gradient stays finite at 0."""
    return ((found - true).square().sum(dim=1, keepdim=True) + 1e-4).sqrt()


def _mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (values * weight).sum() / weight.sum()
