"""Moving pictures that end where the scan ended."""

from __future__ import annotations

from bundle.transforms.batched.degrade import BatchCut
from bundle.transforms.batched.single import OneByOne


class RandCutd(OneByOne):
    """Blank one side of the moving picture; see :class:`BatchCut`."""

    def __init__(self, prob: float = 0.1, reach: float = 0.4) -> None:
        super().__init__(BatchCut(prob, reach))
