"""A picture moved by a written field: the moving picture in another contrast, or its labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageOps

from bundle.geometry.fields import picture_grid
from bundle.images.pictures import read_picture


def moved_picture(
    moving: Path, reference: Path, transform: sitk.Transform, mode: int
) -> tuple[sitk.Image, np.ndarray]:
    """Interpolate a picture once, as ``scripts.fuse`` does; what comes from outside it is 0.

    Args:
        moving: the picture.
        reference: the picture whose size the result gets.
        transform: of two dimensions, fixed to moving points, pixels, x = column, y = row.
        mode: of interpolation. By nearest neighbour pixels keep their values and type, those of
            a palette become RGB; otherwise they are brought to 8 bits, as ``scripts.fuse`` does.

    Returns:
        the moved picture, and the pixels of the moving one as they are stored, (C, H, W).

    Raises:
        InputError: one of the two cannot be read.
    """
    grid = picture_grid(*read_picture(reference).shape[1:])
    pixels = read_picture(moving).numpy()
    stored = _as_stored(moving)
    nearest = mode == sitk.sitkNearestNeighbor
    moved = [
        sitk.Resample(sitk.GetImageFromArray(channel), grid, transform, mode, 0.0)
        for channel in (stored if nearest else pixels)
    ]
    if not nearest:
        moved = [sitk.Clamp(sitk.Round(one), sitk.sitkUInt8, 0, 255) for one in moved]
    return moved[0] if len(moved) == 1 else sitk.Compose(moved), stored


def _as_stored(path: Path) -> np.ndarray:
    """A picture's pixels, (C, H, W), in their own type."""
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file)
        plain = {"1": "L", "P": "RGB"}.get(picture.mode)
        pixels = np.asarray(picture.convert(plain) if plain else picture)
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
