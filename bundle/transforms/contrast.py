"""Random contrast: what makes matching depend on anatomy and not on brightness."""

from __future__ import annotations

from bundle.transforms.batched.contrast import BatchContrast, BatchSelfPair
from bundle.transforms.batched.single import OneByOne


class RandSelfPaird(OneByOne):
    """Now and then take the fixed picture itself as the moving one; see :class:`BatchSelfPair`."""

    def __init__(self, prob: float = 0.15, strength: tuple[float, float] = (0.3, 1.0)) -> None:
        super().__init__(BatchSelfPair(prob, strength))


class RandContrastd(OneByOne):
    """Vary the contrast of both pictures; see :class:`BatchContrast`."""

    def __init__(
        self,
        prob: float = 0.5,
        strength: float = 0.5,
        activity_prob: float = 0.3,
        window_prob: float = 0.3,
        invert_prob: float = 0.1,
    ) -> None:
        super().__init__(BatchContrast(prob, strength, activity_prob, window_prob, invert_prob))
