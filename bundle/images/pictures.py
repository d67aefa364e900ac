"""Read and write picture files as tensors."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from monai.data import PILReader
from PIL import Image

from bundle.domain import LONGEST, SHORTEST
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
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path}: has too many pixels ({error}); resample both pictures to {SHORTEST} to "
            f"{LONGEST} pixels per side"
        ) from error
    except Exception as error:  # Pillow's plug-ins raise whatever their formats bring up
        logging.getLogger(__name__).debug("%s", error, exc_info=True)
        denied = isinstance(error, PermissionError)
        remedy = "change its permissions" if denied else "save it anew as PNG, JPEG or TIFF"
        raise InputError(f"{path}: cannot be read as a picture; {remedy}") from error
    return _channels_first(array)


def picture_from(array: np.ndarray, name: str) -> torch.Tensor:
    """Take a picture that is in memory, on the scales that files have.

    Args:
        array: (H, W) grey or (H, W, 3) RGB; uint8 or bool, grey also uint16 or floating point,
            see :func:`bundle.images.decode.decode`.
        name: of the image, for messages.

    Returns:
        float32 (C, H, W) on the scale 0 to 255; C is 1 for grey, 3 for RGB.

    Raises:
        InputError: it has another shape or type, NaN or negative values.
    """
    colored = array.ndim == 3 and array.shape[2] in (3, 4)
    if not (array.ndim == 2 or colored) or array.size == 0:
        raise InputError(f"{name}: has the shape {array.shape}; give (H, W) or (H, W, 3)")
    if np.issubdtype(array.dtype, np.floating) and not colored:
        if not np.isfinite(array).all():
            raise InputError(f"{name}: holds NaN or infinite values; replace them")
        array = array.astype(np.float32)
    elif array.dtype not in ((np.uint8,) if colored else (np.bool_, np.uint8, np.uint16)):
        raise InputError(f"{name}: has the type {array.dtype}; give uint8, or grey as float")
    try:
        picture = decode(Image.fromarray(np.ascontiguousarray(array)))
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return _channels_first(np.asarray(picture))


def _channels_first(array: np.ndarray) -> torch.Tensor:
    image = torch.from_numpy(np.array(array, dtype=np.float32))
    return image[None] if image.ndim == 2 else image.movedim(-1, 0)


def _decode_single(picture: Image.Image) -> Image.Image:
    """Decode, but refuse stacks, of which only the first picture would be seen."""
    if max(picture.size) > LONGEST:  # before it is decoded
        raise InputError(
            f"is {picture.width} x {picture.height} pixels in plane; resample both images to "
            f"{SHORTEST} to {LONGEST} per side"
        )
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
