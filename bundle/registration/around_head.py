"""The part of a volume around the head, in which a field is sought."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bundle.geometry.region import box_of
from bundle.registration.coarse import CoarsePair

ROOM = 6
"""Voxels around the head; beyond them the outermost displacements go on."""

Box = tuple[slice, slice, slice]


def head_box(pair: CoarsePair) -> Box:
    """The head and ``ROOM`` voxels around it."""
    return box_of(pair.head[0].numpy(), ROOM)


def continued(part: np.ndarray, box: Box, shape: Sequence[int]) -> np.ndarray:
    """(C, h, w, d) in a box of a volume as (C, H, W, D): beyond it the outermost values go on."""
    beyond = [(side.start, count - side.stop) for side, count in zip(box, shape, strict=True)]
    return np.pad(part, [(0, 0), *beyond], mode="edge")
