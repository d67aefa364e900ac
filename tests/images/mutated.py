"""What the files that are changed at random have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bundle.phantom.head import make_head

TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
HEAD = make_head(0, (80, 96, 40), (2.0, 2.0, 4.0))
T1 = (1000 * HEAD.contrast("T1")).astype(np.int16)
FEWER = T1[:, :, ::4]
COARSE = HEAD.affine @ np.diag([1, 1, 4, 1])


@dataclass(frozen=True)
class Case:
    """A changed file.

    Attributes:
        path: the file, or the folder of the series.
        change: what is wrong with it.
        values: (X, Y, Z), of the whole file.
        affine: of the whole file, RAS, mm.
        stated: whether the changed header may consistently say that the volume lies elsewhere, or
            has other values.
    """

    path: Path
    change: str
    values: np.ndarray
    affine: np.ndarray
    stated: bool = False
