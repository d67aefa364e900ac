"""Decode PNG, JPEG and TIFF pictures the one way this project reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

from bundle.errors import InputError

PHOTOMETRIC, WHITE_IS_ZERO = 262, 0
"""TIFF's tag PhotometricInterpretation, and its value where 0 is white."""

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
    inverted = getattr(picture, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("L", "RGB") and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith("I;16"):
        deep = _deep_grey(picture, (4095.0, 65535.0))
        # those of 8 bits Pillow turns itself
        return deep.point(lambda value: value * -1 + 255) if inverted else deep
    if picture.mode in ("I", "F"):
        return _deep_grey(picture, (255.0, 4095.0, 65535.0))
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode in ("L", "LA", "La"):
        return _over_black(picture).convert("L")
    if picture.mode in ("RGBA", "RGBa", "PA") or "transparency" in picture.info:
        return _over_black(picture)
    return picture.convert("RGB")


def _over_black(picture: Image.Image) -> Image.Image:
    black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, picture.convert("RGBA")).convert("RGB")


def _deep_grey(picture: Image.Image, limits: Sequence[float]) -> Image.Image:
    """Scale grey by the smallest limit that about holds its maximum; floating point also by 1."""
    values = np.asarray(picture, dtype=np.float32)
    if values.min(initial=0.0) < 0:
        raise InputError("holds negative values; window it to 0 to 255, or give a NIfTI volume")
    peak = float(values.max(initial=0.0))
    limits = (1.0, *limits) if picture.mode == "F" else limits
    full = next((limit for limit in limits if peak <= OVERSHOOT * limit), peak)
    return Image.fromarray((values * np.float32(255 / full)).clip(max=255))
