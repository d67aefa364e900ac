"""What is found in a volume after its linear start."""

from __future__ import annotations

from dataclasses import dataclass

import SimpleITK as sitk


@dataclass(frozen=True)
class ElasticField:
    """A displacement field of the network, an optimiser, or both.

    Attributes:
        field: ITK displacement field, millimetres, LPS, pull-back; applied before the start.
        spread: its uncertainty, mm, on the same grid; None if it is not known. 95 % of
            the errors are meant to lie below twice this value.
        planes: of the slices that the network saw; () without it.
        optimiser: what the optimiser's field counts in it, 0 to 1.
        finer: whether it went on in voxels of about 1 mm.
        used: share of the fixed head in which the guard of regions kept it.
    """

    field: sitk.Image
    spread: sitk.Image | None
    planes: tuple[str, ...]
    optimiser: float = 0.0
    finer: bool = False
    used: float = 1.0
