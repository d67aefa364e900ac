"""The one form in which every measure takes its pictures."""

from __future__ import annotations

import torch
from monai.utils import convert_to_tensor


def as_double(**images: torch.Tensor) -> list[torch.Tensor]:
    """Check that all images have one shape (B, 1, H, W) and return them as plain float64 tensors.

    Args:
        images: full-range BT.601 luma, 0 to 255, (B, 1, H, W) each, named for the error message.

    Returns:
        the images in the given order, float64, without metadata.

    Raises:
        ValueError: an image is not (B, 1, H, W), or two shapes differ.
    """
    doubles = [
        convert_to_tensor(image, dtype=torch.float64, track_meta=False) for image in images.values()
    ]
    shapes = {name: tuple(image.shape) for name, image in zip(images, doubles, strict=True)}
    first = next(iter(shapes.values()))
    if len(set(shapes.values())) > 1 or len(first) != 4 or first[1] != 1:
        raise ValueError(f"expected luma images of one shape (B, 1, H, W), got {shapes}")
    return doubles
