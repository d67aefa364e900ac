"""Read and write picture files as tensors."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from monai.data import PILReader
from PIL import Image

from bundle.errors import InputError
from bundle.images.decode import decode


def read_picture(path: Path | str) -> torch.Tensor:
    """Read a PNG, JPEG or TIFF file of any kind of pixel.

    Args:
        path: the picture file.

    Returns:
        float32 (C, H, W) on the scale 0 to 255; C is 1 for grey, 3 for RGB.

    Raises:
        InputError: the file is missing, is not a picture, is damaged or holds several pictures.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; check the path")
    reader = PILReader(converter=_decode_single, reverse_indexing=False)
    try:
        array, _ = reader.get_data(reader.read(str(path)))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # Pillow's plug-ins raise whatever their formats bring up
        logging.getLogger(__name__).debug("%s", error, exc_info=True)
        denied = isinstance(error, PermissionError)
        mend = "change its permissions" if denied else "save it anew as PNG, JPEG or TIFF"
        raise InputError(f"{path}: cannot be read as a picture; {mend}") from error
    image = torch.from_numpy(np.array(array, dtype=np.float32))
    return image[None] if image.ndim == 2 else image.movedim(-1, 0)


def _decode_single(picture: Image.Image) -> Image.Image:
    """Decode, but refuse stacks, of which only the first picture would be seen."""
    frames = getattr(picture, "n_frames", 1)
    if frames != 1:
        raise InputError(f"holds {frames} pictures; save the wanted one as a file of its own")
    return decode(picture)


def write_picture(image: torch.Tensor, path: Path) -> None:
    """Write an 8-bit grey or RGB picture; values are rounded and clipped.

    Args:
        image: (C, H, W) on the scale 0 to 255; C is 1 for grey, 3 for RGB.
        path: where to; the suffix chooses the format.
    """
    pixels = image.detach().round().clamp(0, 255).to(torch.uint8).cpu()
    array = pixels[0] if pixels.shape[0] == 1 else pixels.movedim(0, -1)
    Image.fromarray(array.contiguous().numpy()).save(path)
