"""Decode PNG, JPEG and TIFF pictures the one way this project reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

from bundle.errors import InputError

OVERSHOOT = 1.1
"""By what interpolation may exceed the brightest value of a scale."""


def decode(picture: Image.Image) -> Image.Image:
    """Bring any PIL picture to mode ``L``, ``RGB`` or ``F``, all on the scale 0 to 255.

    Meant as ``converter`` of MONAI's ``PILReader`` (with ``reverse_indexing=False``, so that
    arrays come as rows x columns). Palette pictures become RGB instead of palette indices,
    16- and 32-bit grey keeps its precision as float (65535 -> 255; 4095 -> 255 where nothing is
    brighter: 12 bits of a scanner), transparency is laid over black, and a JPEG's EXIF
    orientation is applied.

    Args:
        picture: an opened PIL picture of any mode.

    Returns:
        the decoded picture; a grey one has mode ``L`` (8 bit) or ``F`` (deeper), a colour one
        mode ``RGB``.

    Raises:
        InputError: there are negative values, such as Hounsfield units.
    """
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("L", "RGB"):
        return picture
    if picture.mode.startswith("I;16"):
        return _deep_grey(picture, (4095.0, 65535.0))
    if picture.mode in ("I", "F"):
        return _deep_grey(picture, (255.0, 4095.0, 65535.0))
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode in ("LA", "La"):
        black = Image.new("LA", picture.size, (0, 255))
        return Image.alpha_composite(black.convert("RGBA"), picture.convert("RGBA")).convert("L")
    if picture.mode in ("RGBA", "RGBa", "PA") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, rgba).convert("RGB")
    return picture.convert("RGB")


def _deep_grey(picture: Image.Image, limits: Sequence[float]) -> Image.Image:
    """Scale grey by the smallest limit that about holds its maximum; floating point also by 1."""
    values = np.asarray(picture, dtype=np.float32)
    if values.min(initial=0.0) < 0:
        raise InputError(
            "holds negative values; window it to 0 to 255, or hand over a NIfTI volume"
        )
    peak = float(values.max(initial=0.0))
    limits = (1.0, *limits) if picture.mode == "F" else limits
    full = next((limit for limit in limits if peak <= OVERSHOOT * limit), peak)
    return Image.fromarray((values * np.float32(255 / full)).clip(max=255))
