"""Random contrast: what makes matching depend on anatomy and not on brightness."""

from __future__ import annotations

from typing import Any

import torch

from bundle.domain import MODALITIES
from bundle.transforms.random import chosen, uniform

KNOTS = 7


def random_curves(
    images: torch.Tensor, strength: torch.Tensor, random: torch.Generator
) -> torch.Tensor:
    """Map every picture through a random piecewise linear curve that keeps 0 at 0.

    Args:
        images: (B, C, H, W) in [0, 1].
        strength: (B,), 0 = the identity, 1 = any curve, also falling ones.
        random: source of randomness.

    Returns:
        (B, C, H, W) in [0, 1].
    """
    batch = len(images)
    knots = torch.linspace(0.0, 1.0, KNOTS, device=images.device)
    gamma = torch.exp(uniform(random, (batch,), -0.7, 0.7) * (2 * strength).clamp(max=1.0))
    anything = uniform(random, (batch, KNOTS))
    heights = torch.lerp(knots ** gamma[:, None], anything, strength[:, None])
    heights[:, 0] = 0.0
    heights = heights / heights.amax(dim=1, keepdim=True).clamp(min=0.5)
    position = images.clamp(0.0, 1.0).flatten(1) * (KNOTS - 1)
    below = position.long().clamp(max=KNOTS - 2)
    mapped = torch.lerp(heights.gather(1, below), heights.gather(1, below + 1), position - below)
    return mapped.view_as(images)


class BatchSelfPair:
    """Now and then take the fixed picture itself, in another contrast, as the moving one.

    Such a pair is aligned exactly, unlike any pair of two scans (after Hoffmann et al.,
    SynthMorph, IEEE TMI 2022).

    Args:
        prob: share of such pairs.
        strength: range of the change of contrast, see :func:`random_curves`. A network learns
            to match from nearly equal contrasts first, then from any, then across modalities.
    """

    def __init__(self, prob: float = 0.15, strength: tuple[float, float] = (0.3, 1.0)) -> None:
        self.prob = prob
        self.strength = strength

    def __call__(self, batch: dict[str, Any], random: torch.Generator) -> dict[str, Any]:
        """Apply to one batch."""
        fixed, moving = batch["fixed"], batch["moving"]
        strength = uniform(random, (len(fixed),), *self.strength)
        other = random_curves(fixed, strength, random)
        other = torch.cat([other, torch.zeros_like(moving[:, 1:3]), other], dim=1)
        return batch | {"moving": torch.where(chosen(random, len(fixed), self.prob), other, moving)}


class BatchContrast:
    """Vary the contrast of both pictures; inverted and windowed ones are among the results.

    The moving picture's fourth channel (activity) takes the place of its luminance in a share
    of the pairs: scalar PET and SPECT volumes look like that. Chrominance is then dropped.

    Args:
        prob: share of pictures whose curve is changed.
        strength: the largest strength of :func:`random_curves`.
        activity_prob: share of pairs that show activity instead of luminance.
        window_prob: share of CT pictures that get another display window.
        invert_prob: share of pictures shown inverted inside the head.
    """

    def __init__(
        self,
        prob: float = 0.5,
        strength: float = 0.5,
        activity_prob: float = 0.3,
        window_prob: float = 0.3,
        invert_prob: float = 0.1,
    ) -> None:
        self.prob = prob
        self.strength = strength
        self.activity_prob = activity_prob
        self.window_prob = window_prob
        self.invert_prob = invert_prob

    def __call__(self, batch: dict[str, Any], random: torch.Generator) -> dict[str, Any]:
        """Apply to one batch; ``moving`` becomes (B, 3, H, W)."""
        moving = batch["moving"]
        luminance, chrominance, activity = moving[:, :1], moving[:, 1:3], moving[:, 3:]
        scalar = chosen(random, len(moving), self.activity_prob)
        luminance = torch.where(scalar, activity, luminance)
        luminance = self._windowed(luminance, batch["modality_index"], random)
        moving = torch.cat([self._varied(luminance, random), chrominance * ~scalar], dim=1)
        return batch | {"moving": moving, "fixed": self._varied(batch["fixed"], random)}

    def _windowed(
        self, luminance: torch.Tensor, kind: torch.Tensor, random: torch.Generator
    ) -> torch.Tensor:
        shape = (len(luminance), 1, 1, 1)
        is_ct = kind.view(shape) == MODALITIES.index("CT")
        low, high = uniform(random, shape, 0.0, 0.25), uniform(random, shape, 0.6, 1.3)
        window = ((luminance - low) / (high - low)).clamp(0.0, 1.0)
        wanted = is_ct & chosen(random, len(luminance), self.window_prob)
        return torch.where(wanted, window, luminance)

    def _varied(self, image: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        strength = uniform(random, (len(image),), 0.0, self.strength)
        curved = random_curves(image, strength, random)
        image = torch.where(chosen(random, len(image), self.prob), curved, image)
        inverted = (1.0 - image) * (image > 0.03)
        return torch.where(chosen(random, len(image), self.invert_prob), inverted, image)
