"""Decode PNG, JPEG and TIFF pictures the one way this project reads them."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps


def decode(picture: Image.Image) -> Image.Image:
    """Bring any PIL picture to mode ``L``, ``RGB`` or ``F``, all on the scale 0 to 255.

    Meant as ``converter`` of MONAI's ``PILReader`` (with ``reverse_indexing=False``, so that
    arrays come as rows x columns). Palette pictures become RGB instead of palette indices,
    16- and 32-bit grey keeps its precision as float (65535 -> 255), transparency is laid over
    black, and a JPEG's EXIF orientation is applied.

    Args:
        picture: an opened PIL picture of any mode.

    Returns:
        the decoded picture; a grey one has mode ``L`` (8 bit) or ``F`` (deeper), a colour one
        mode ``RGB``.
    """
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("L", "RGB"):
        return picture
    if picture.mode.startswith("I;16"):
        return Image.fromarray(np.asarray(picture, dtype=np.float32) * np.float32(255 / 65535))
    if picture.mode in ("I", "F"):
        return _float_grey(picture)
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


def _float_grey(picture: Image.Image) -> Image.Image:
    """Scale 32-bit grey by the smallest of 1, 255 and 65535 that holds its maximum."""
    values = np.asarray(picture, dtype=np.float32)
    peak = float(values.max(initial=0.0))
    full = next((limit for limit in (1.0, 255.0, 65535.0) if peak <= limit), peak)
    if picture.mode == "I":
        full = max(full, 255.0)
    return Image.fromarray(values * np.float32(255 / full))
