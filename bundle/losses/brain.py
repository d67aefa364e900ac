"""Distance of a volume's field from the true one, counted where it matters, and a bound of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

ROUNDING = 0.01
"""Voxels^2 under the root: its gradient stays finite where the field is right."""

SHARE = 0.95
"""Of the errors that are to lie below their bound."""


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


def bound_loss(
    field: torch.Tensor, bound: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Pinball loss (Koenker and Bassett 1978): least where ``SHARE`` of errors lie below the bound.

    Args:
        field: (B, 3, H, W, D), voxels; it is not trained by this.
        bound: (B, 1, H, W, D), of its distance from the truth.
        truth: (B, 3, H, W, D).
        weight: (B, 1, H, W, D).

    Returns:
        (B,), voxels.
    """
    above = (field.detach() - truth).norm(dim=1, keepdim=True) - bound
    cost = torch.where(above > 0, SHARE * above, (SHARE - 1) * above)
    return (cost * weight).flatten(1).sum(dim=1) / weight.flatten(1).sum(dim=1)


class BrainLoss(nn.Module):
    """Mean distance of a field from the true one in the brain, and less so in the head around it.

    Args:
        head: weight of the head; that of the brain is 1 more.
    """

    def __init__(self, head: float = 0.15) -> None:
        super().__init__()
        self.head = head

    def forward(self, found: torch.Tensor, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        """Compute.

        Args:
            found: (B, 4, H, W, D), voxels: field, pull-back, and spread; twice the spread is the
                bound of the error.
            batch: ``ddf``, the true field, ``brain`` and ``head``, (B, 1, H, W, D) in [0, 1].

        Returns:
            ``distance``, ``bound`` and their sum ``loss``, scalars in voxels.
        """
        field, spread = found.split((3, 1), dim=1)
        weight = batch["brain"] + self.head * batch["head"]
        terms = {
            "distance": mean_distance(field, batch["ddf"], weight, ROUNDING).mean(),
            "bound": bound_loss(field, 2 * spread, batch["ddf"], weight).mean(),
        }
        return terms | {"loss": terms["distance"] + terms["bound"]}
