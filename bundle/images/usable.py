"""What every image must have to be registered: enough pixels, not too many, and a contrast."""

from __future__ import annotations

import torch

from bundle.domain import LONGEST, SHORTEST
from bundle.errors import InputError
from bundle.geometry.grid import counts_at
from bundle.geometry.slices import oriented_grid
from bundle.images.grid import MOST
from bundle.images.volume import Volume


def require_size(name: str, height: int, width: int, plane: str = "") -> None:
    """Refuse slices with too few or too many pixels.

    Args:
        name: of the image, for messages.
        height: of a slice, in pixels.
        width: likewise.
        plane: of the slices, if it is a volume.

    Raises:
        InputError: they have.
    """
    if min(height, width) >= SHORTEST and max(height, width) <= LONGEST:
        return
    remedy = f"resample both images to {SHORTEST} to {LONGEST} per side"
    if plane and min(height, width) < SHORTEST:
        remedy = f"in this direction it is too thin a slab: take another --plane, or {remedy}"
    where = f"{plane} plane" if plane else "plane"
    raise InputError(f"{name}: is {width} x {height} pixels in {where}; {remedy}")


def require_resolution(fixed: Volume, plane: str, resolution: float) -> None:
    """Refuse voxels of results that are too large or too small for the fixed volume.

    Raises:
        InputError: they are.
    """
    columns, rows, slices = counts_at(oriented_grid(fixed.image, plane), resolution)
    fits = min(rows, columns) >= SHORTEST and max(rows, columns) <= LONGEST
    if not fits or rows * columns * slices > MOST:
        raise InputError(
            f"{fixed.name}: resolution {resolution:g} gives slices of {columns} x {rows} pixels; "
            f"give one for which they have {SHORTEST} to {LONGEST} per side"
        )


def require_variation(name: str, values: torch.Tensor) -> None:
    """Refuse an image without a contrast.

    Raises:
        InputError: it has one value everywhere.
    """
    if values.min() == values.max():
        raise InputError(f"{name}: has the same value everywhere; check that it is the right image")
