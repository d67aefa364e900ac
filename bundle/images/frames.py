"""Which frame of a 4D image is meant, and what is known of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bundle.errors import InputError

MEAN: Literal["mean"] = "mean"
"""Stands for the mean of all frames where a number stands for one of them."""

Frame = int | Literal["mean"]
"""Number of a frame, from 0, or their mean."""


@dataclass(frozen=True)
class Frames:
    """All frames of a 4D image, which are read one by one, see :mod:`bundle.images.each_frame`.

    Attributes:
        source: the file or folder, or the image in memory.
        name: of the image, for messages.
        count: how many there are, 2 or more.
        series: UID of the series, where a path holds several.
        spacing: mm, where the header says no voxel size.
        step: of the time axis, in ``unit``.
        unit: ``sec``, ``msec``, ``usec`` or ``unknown``.
    """

    source: Any
    name: str
    count: int
    series: tuple[str, ...] = ()
    spacing: tuple[float, ...] | None = None
    step: float = 1.0
    unit: str = "unknown"


class Choice:
    """Chooses a frame when the number of frames is known; remembers that number.

    Args:
        name: of the image, for messages.
        frame: which one; not needed where there is one.

    Attributes:
        count: frames that there are.
    """

    def __init__(self, name: str, frame: Frame | None) -> None:
        self.name, self.frame = name, frame
        self.count = 1

    def __call__(self, count: int) -> Frame:
        """Choose one of this many.

        Raises:
            InputError: none is named, or one that is not there.
        """
        self.count = count
        if count == 1:  # a frame that is named is then one of the other volume
            return 0
        if self.frame == MEAN or (isinstance(self.frame, int) and 0 <= self.frame < count):
            return self.frame
        if self.frame is not None:
            raise InputError(
                f"{self.name}: there is no frame {self.frame}; name one of 0 to {count - 1}, "
                "or mean"
            )
        raise InputError(
            f"{self.name}: is 4D with {count} frames; name one of them: --frame 0 to {count - 1}, "
            'or their mean ("frame" in a list)'
        )


Choose = Callable[[int], Frame]
"""The frame that is wanted of this many; called if an image is 4D."""


def picked(values: np.ndarray, frame: Frame, axis: int = -1) -> np.ndarray:
    """A frame, or the mean of all, with no more than a frame beside the values in memory.

    Args:
        values: of any number of axes.
        frame: which one.
        axis: that counts the frames.

    Returns:
        without that axis; the mean is float64.
    """
    frames = np.moveaxis(values, axis, 0)
    if frame != MEAN:
        return frames[frame]
    total = np.zeros(frames.shape[1:], dtype=np.float64)
    for one in frames:
        total += one
    return total / len(frames)
