"""New anatomy from two pairs: each gives a part of the head."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from bundle.transforms.random import chosen, normal, uniform

KNOTS = 5
"""Control points per side of the mask."""

STEEPNESS = 4.0
"""Of the change from one pair to the other."""


class BatchBlend:
    """Blend a pair with another of its modality by one smooth random mask for both pictures.

    Both pairs are aligned, so the blend is: a head that no patient has and that cannot be learnt
    by heart.

    Args:
        prob: share of pairs that are blended.
    """

    def __init__(self, prob: float = 0.3) -> None:
        self.prob = prob

    def __call__(self, batch: dict[str, Any], random: torch.Generator) -> dict[str, Any]:
        """Apply to one batch."""
        if self.prob == 0:
            return batch
        fixed, moving = batch["fixed"], batch["moving"]
        count = len(fixed)
        partner = self._partners(batch["modality_index"], random)
        coarse = normal(random, (count, 1, KNOTS, KNOTS))
        size = tuple(fixed.shape[2:])
        mask = functional.interpolate(coarse, size, mode="bicubic", align_corners=True)
        share = torch.sigmoid(STEEPNESS * mask) * chosen(random, count, self.prob)
        flip = uniform(random, (count, 1, 1, 1)) < 0.5
        return batch | {
            key: torch.lerp(image, torch.where(flip, image.flip(-1), image)[partner], share)
            for key, image in (("fixed", fixed), ("moving", moving))
        }

    def _partners(self, kind: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """For each pair another one of its modality.

        Of several modalities the last pair of each keeps to itself.
        """
        order = torch.argsort(kind + uniform(random, kind.shape))  # modality by modality
        following = order.roll(-1)
        alike = kind[order] == kind[following]
        return torch.empty_like(order).scatter(0, order, torch.where(alike, following, order))
