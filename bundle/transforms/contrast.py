"""Random contrast: what makes matching depend on anatomy and not on brightness."""

from __future__ import annotations

from typing import Any

from bundle.transforms.batched.contrast import BatchContrast, BatchSelfPair
from bundle.transforms.batched.single import OneByOne


class RandSelfPaird(OneByOne):
    """Now and then take the fixed picture itself as the moving one.

    Args:
        arguments: of :class:`BatchSelfPair`.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(BatchSelfPair(**arguments))


class RandContrastd(OneByOne):
    """Vary the contrast of both pictures.

    Args:
        arguments: of :class:`BatchContrast`.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(BatchContrast(**arguments))
