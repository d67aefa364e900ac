"""Random contrast: what makes matching depend on anatomy and not on brightness."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import Randomizable, Transform


def random_curve(
    values: torch.Tensor, strength: float, random: np.random.RandomState
) -> torch.Tensor:
    """Map intensities through a random piecewise linear curve that keeps 0 at 0.

    Args:
        values: intensities in [0, 1], any shape.
        strength: 0 = the identity, 1 = any curve, also falling ones.
        random: source of randomness.

    Returns:
        intensities in [0, 1], same shape.
    """
    knots = np.linspace(0.0, 1.0, 7)
    gamma = np.exp(random.uniform(-0.7, 0.7) * min(1.0, 2 * strength))
    heights = (1 - strength) * knots**gamma + strength * random.uniform(0.0, 1.0, knots.size)
    heights[0] = 0.0
    mapped = np.interp(values.numpy(), knots, heights / max(heights.max(), 0.5))
    return torch.from_numpy(mapped.astype(np.float32))


class RandSelfPaird(Randomizable, Transform):
    """Now and then take the fixed picture itself, in another contrast, as the moving one.

    Such a pair is aligned exactly, unlike any pair of two scans (after Hoffmann et al.,
    SynthMorph, IEEE TMI 2022).

    Args:
        prob: share of such pairs.
        strength: range of the change of contrast, see :func:`random_curve`. A network learns
            to match from nearly equal contrasts first, then from any, then across modalities.
    """

    def __init__(self, prob: float = 0.15, strength: tuple[float, float] = (0.3, 1.0)) -> None:
        self.prob = prob
        self.strength = strength

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Apply to one item with ``fixed`` (1, H, W) and ``moving`` (4, H, W)."""
        item = dict(data)
        if self.R.uniform() < self.prob:
            moving = random_curve(item["fixed"], self.R.uniform(*self.strength), self.R)
            item["moving"] = torch.cat([moving, torch.zeros(2, *moving.shape[1:]), moving])
            item["self_pair"] = True
        else:
            item["self_pair"] = False
        return item


class RandContrastd(Randomizable, Transform):
    """Vary the contrast of both pictures; inverted and windowed ones are among the results.

    The moving picture's fourth channel (activity) takes the place of its luminance in a share
    of the items: scalar PET and SPECT volumes look like that. Chrominance is then dropped.

    Args:
        prob: share of pictures whose curve is changed.
        strength: the largest strength of :func:`random_curve`.
        activity_prob: share of items that show activity instead of luminance.
        window_prob: share of moving pictures that get another display window (CT).
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

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Apply to one item with ``fixed`` (1, H, W) and ``moving`` (4, H, W)."""
        item = dict(data)
        moving = item["moving"].clone()
        if self.R.uniform() < self.activity_prob:
            moving[0] = moving[3]
            moving[1:3] = 0.0
        if item["modality"] == "CT" and self.R.uniform() < self.window_prob:
            low, high = self.R.uniform(0.0, 0.25), self.R.uniform(0.6, 1.3)
            moving[0] = ((moving[0] - low) / (high - low)).clamp(0.0, 1.0)
        moving[:1] = self._vary(moving[:1])
        item["fixed"] = self._vary(item["fixed"])
        item["moving"] = moving[:3]
        return item

    def _vary(self, image: torch.Tensor) -> torch.Tensor:
        if self.R.uniform() < self.prob:
            image = random_curve(image, self.R.uniform(0.0, self.strength), self.R)
        if self.R.uniform() < self.invert_prob:
            image = (1.0 - image) * (image > 0.03)
        return image
