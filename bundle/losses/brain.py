"""Distance of a volume's field from the true one, counted where it matters."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

ROUNDING = 0.01
"""Voxels^2 under the root: its gradient stays finite where the field is right."""


def mean_distance(
    field: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor, rounding: float = 0.0
) -> torch.Tensor:
    """Weighted mean of the Euclidean distance of two fields.

    Args:
        field: (B, 3, H, W, D), voxels, pull-back.
        truth: the same.
        weight: (B, 1, H, W, D), 0 or more.
        rounding: added to the squared distance.

    Returns:
        (B,), voxels; NaN where all weights are 0.
    """
    distance = ((field - truth).square().sum(dim=1, keepdim=True) + rounding).sqrt()
    return (distance * weight).flatten(1).sum(dim=1) / weight.flatten(1).sum(dim=1)


class BrainLoss(nn.Module):
    """Mean distance of a field from the true one in the brain, and less so in the head around it.

    Args:
        head: weight of the head; that of the brain is 1 more.
    """

    def __init__(self, head: float = 0.15) -> None:
        super().__init__()
        self.head = head

    def forward(self, field: torch.Tensor, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        """Compute.

        Args:
            field: (B, 3, H, W, D), voxels, pull-back.
            batch: ``ddf``, the true one, ``brain`` and ``head``, (B, 1, H, W, D) in [0, 1].

        Returns:
            ``loss``, a scalar in voxels.
        """
        weight = batch["brain"] + self.head * batch["head"]
        return {"loss": mean_distance(field, batch["ddf"], weight, ROUNDING).mean()}
