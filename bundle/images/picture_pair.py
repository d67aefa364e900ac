"""Two pictures that belong together: read, and refused if they cannot be used."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Any

import torch

from bundle.errors import InputError, Remark
from bundle.images.color import luma
from bundle.images.mask import refuse_masks
from bundle.images.pictures import picture_from, read_picture
from bundle.images.usable import require_size, require_variation
from bundle.options import Options

OF_VOLUMES = (
    "frame", "fixed_frame", "series", "spacing", "suv", "labels", "initial_transform",
    "resolution", "matrices", "dicom_output", "ddf_full", "colormap",
)  # fmt: skip
"""Options that ask for what pictures do not have."""

WAYS = ("init", "plane", "through_plane", "guard", "refine", "ct_window", "percentiles")
"""Options of how volumes are registered and shown: a list of both kinds may set them."""


@dataclass(frozen=True)
class PicturePair:
    """Two pictures of one size.

    Attributes:
        fixed: float32 (C, H, W), 0 to 255; C is 1 for grey, 3 for RGB.
        moving: likewise.
        modality: of the moving picture, if it is known.
        remarks: what was noticed about both.
        began: when reading began, seconds since the epoch.
    """

    fixed: torch.Tensor
    moving: torch.Tensor
    modality: str | None = None
    remarks: tuple[Remark, ...] = ()
    began: float = 0.0


def read_pictures(images: tuple[Any, Any], names: tuple[str, str], options: Options) -> PicturePair:
    """Read two pictures.

    Args:
        images: the fixed and the moving one: paths, or arrays (H, W) or (H, W, 3).
        names: of both, for messages.
        options: ``modality`` counts; what was set for volumes is refused or remarked.

    Raises:
        InputError: one of them cannot be used, they are of two sizes, or an option asks for what
            volumes alone have.
    """
    began = time.time()
    _refuse_options(names[1], options)
    pictures = [
        read_picture(os.fspath(image))
        if isinstance(image, (str, PathLike))
        else picture_from(image, name)
        for image, name in zip(images, names, strict=True)
    ]
    if pictures[0].shape[1:] != pictures[1].shape[1:]:
        sizes = [f"{image.shape[2]} x {image.shape[1]}" for image in pictures]
        raise InputError(
            f"{names[1]}: is {sizes[1]} pixels, but {names[0]} is {sizes[0]}; resample the "
            "moving picture onto the fixed one's grid, or give NIfTI volumes"
        )
    for name, image in zip(names, pictures, strict=True):
        require_size(name, *image.shape[1:])
        if not torch.isfinite(image).all():
            raise InputError(f"{name}: holds NaN or infinite values; replace them")
        require_variation(name, luma(image))
    modality = options.modality and options.modality.value
    return PicturePair(pictures[0], pictures[1], modality, tuple(_unused(options)), began)


def _refuse_options(name: str, options: Options) -> None:
    if options.apply_to_all_frames:
        raise InputError("apply_to_all_frames: pictures have no frames; leave it out")
    asked = _set(options, OF_VOLUMES)
    if asked:
        raise InputError(f"{name}: is a picture; leave out --{asked[0]}")
    refuse_masks((options.fixed_mask, options.moving_mask))


def _unused(options: Options) -> Iterator[Remark]:
    """What was set and does not count for pictures."""
    ways = ", ".join(f"--{name}" for name in _set(options, WAYS))
    if ways:
        text = f"Pictures do not use {ways}: how volumes are registered or shown."
        yield Remark("volumes_only", text, warning=False)


def _set(options: Options, names: Iterable[str]) -> list[str]:
    """Those of the options that are not as by default."""
    defaults = type(options).model_fields
    return [name for name in names if getattr(options, name) != defaults[name].default]
