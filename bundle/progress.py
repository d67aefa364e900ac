"""How far a pair is: the stages of its way, which whoever calls shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import prod


class Stage(str, Enum):
    """A part of the way of a pair, in words for people, in their order; only volumes have all."""

    READ = "reading"
    START = "rigid start"
    NETWORK = "network"
    OPTIMISER = "optimiser"
    CHOICE = "choice of the field"
    REFINE = "B-spline"
    RESAMPLE = "resampling"
    FUSE = "fusion"
    FILES = "files"
    PAGE = "page"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Step:
    """A stage that begins.

    Attributes:
        stage: which.
        share: of the expected time that is over, 0 to 1; 0 where none is expected.
        expected: seconds that the whole pair is about to take; None of pictures, which take no
            time, and until the volumes are read.
    """

    stage: Stage
    share: float = 0.0
    expected: float | None = None


def expected_seconds(
    fixed: Sequence[int],
    moving: Sequence[int],
    extent: Sequence[float],
    threads: int,
    refined: bool = False,
) -> dict[Stage, float]:
    """How long the stages of a pair of volumes are about to take.

    What costs goes by voxels, but for the steps that work in voxels of 2 mm; the constants are
    those of one core of a server of 2024 (``scripts.benchmark --volume``), and of them a second
    core takes about a third away.

    Args:
        fixed: voxels along the axes.
        moving: likewise.
        extent: mm of the fixed volume along its axes.
        threads: that compute.
        refined: whether a B-spline follows, which is sought on one thread.
    """
    millions = prod(fixed) / 1e6
    cells = prod(extent) / 8e6  # of 2 mm, in millions
    seconds = {
        Stage.READ: 0.0,
        Stage.START: 1.3 + 0.18 * millions,
        Stage.NETWORK: 0.0065 * sum(extent),
        Stage.OPTIMISER: 3.3 * cells + 0.13 * millions,
        Stage.CHOICE: 0.15 * cells,
        Stage.RESAMPLE: 0.1 * millions,
        Stage.FUSE: 0.17 * millions,
        Stage.FILES: 1.6 * cells + 0.07 * (millions + prod(moving) / 1e7),
        Stage.PAGE: 0.9 + 0.1 * millions,
    }
    spline = {Stage.REFINE: 50.0 + millions} if refined else {}
    return spline | {stage: one / (1.5 if threads > 1 else 1.0) for stage, one in seconds.items()}


class Progress:
    """Tells the stages of one pair, each as it begins.

    Args:
        tell: takes the steps; None: nobody wants to know.
    """

    def __init__(self, tell: Callable[[Step], None] | None = None) -> None:
        self._tell = tell
        self._expected: Mapping[Stage, float] = {}

    def expect(self, seconds: Mapping[Stage, float]) -> None:
        """Say how long the stages are about to take, as soon as it is known."""
        self._expected = seconds

    def __call__(self, stage: Stage) -> None:
        """Tell that a stage begins."""
        if self._tell is None:
            return
        whole = sum(self._expected.values())
        order = list(Stage)
        over = sum(self._expected.get(one, 0.0) for one in order[: order.index(stage)])
        self._tell(Step(stage, over / whole, whole) if whole else Step(stage))


SILENT = Progress()
"""Tells nobody."""
