"""What the network finds in a volume."""

from __future__ import annotations

from dataclasses import dataclass

import SimpleITK as sitk


@dataclass(frozen=True)
class NetworkField:
    """A displacement field made of the network's fields in slices.

    Attributes:
        field: ITK displacement field, millimetres, LPS, pull-back; applied before the start.
        spread: how much its estimates differ, mm, on the same grid; None if it is not known.
        planes: of the slices.
    """

    field: sitk.Image
    spread: sitk.Image | None
    planes: tuple[str, ...]
