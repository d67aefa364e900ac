"""Write a tensor as an 8-bit picture file."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image


def write_picture(image: torch.Tensor, path: Path) -> None:
    """Write an 8-bit grey or RGB picture; values are rounded and clipped.

    Args:
        image: (C, H, W) on the scale 0 to 255; C is 1 for grey, 3 for RGB.
        path: where to; the suffix chooses the format.
    """
    pixels = image.detach().round().clamp(0, 255).to(torch.uint8).cpu()
    array = pixels[0] if pixels.shape[0] == 1 else pixels.movedim(0, -1)
    Image.fromarray(array.contiguous().numpy()).save(path)
