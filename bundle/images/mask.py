"""Masks of what is to be left out of a registration: lesions, metal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError, Remark
from bundle.geometry.grid import on_one_grid
from bundle.images.kinds import is_volume
from bundle.images.volume import Volume
from bundle.images.volumes import read_volume, volume_from

Masks = tuple[sitk.Image | None, sitk.Image | None]
"""Of the fixed and of the moving volume: uint8 on its grid, 1 = left out; None where there is none.
"""


def read_masks(given: Sequence[Any], volumes: Sequence[Volume]) -> tuple[Masks, list[Remark]]:
    """Read the masks of a pair.

    Args:
        given: of the fixed and of the moving volume a path, an image in memory, or None. Voxels
            that are not 0 are left out.
        volumes: fixed and moving.

    Returns:
        the masks, and what is odd about them.

    Raises:
        InputError: a mask cannot be read, or lies on another grid than its volume.
    """
    fixed, moving = (_read(one, side, v) for one, side, v in _sides(given, volumes))
    return (fixed, moving), list(_remarks(fixed, moving))


def refuse_masks(given: Sequence[Any]) -> None:
    """Refuse masks of pictures.

    Raises:
        InputError: there is one.
    """
    for one, side, _ in _sides(given, (None, None)):
        if one is not None:
            raise InputError(
                f"{_name(one, side)}: pictures take no masks; give volumes, or leave out "
                f"{side}_mask"
            )


def _sides(given: Sequence[Any], volumes: Sequence[Any]) -> Iterator[tuple[Any, str, Any]]:
    return zip(given, ("fixed", "moving"), volumes, strict=True)


def _name(given: Any, side: str) -> str:
    return str(given) if isinstance(given, (str, PathLike)) else f"{side} mask"


def _read(given: Any, side: str, volume: Volume) -> sitk.Image | None:
    if given is None:
        return None
    name = _name(given, side)
    if not isinstance(given, (str, PathLike)):
        image = volume_from(given, name).image
    elif is_volume(name):
        image = read_volume(name).image
    else:
        raise InputError(f"{name}: is a picture; give the mask as a NIfTI volume")
    image = _as_stored(image, volume.image)
    if not on_one_grid(volume.image, image):
        used = f", as written in {side}_used.nii.gz" if volume.resampled else ""
        raise InputError(
            f"{name}: lies on another grid than {volume.name}; resample it by nearest neighbour "
            f"onto that image's grid{used}"
        )
    mask = sitk.Cast(image != 0, sitk.sitkUInt8)
    mask.CopyInformation(volume.image)
    return mask


def _as_stored(mask: sitk.Image, volume: sitk.Image) -> sitk.Image:
    """The mask with its axes in the order and direction of the volume's: the same voxels."""
    orientation = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines
    code = orientation(volume.GetDirection())
    return mask if orientation(mask.GetDirection()) == code else sitk.DICOMOrient(mask, code)


def _remarks(*masks: sitk.Image | None) -> Iterator[Remark]:
    for mask, side in zip(masks, ("fixed", "moving"), strict=True):
        if mask is not None and not np.any(sitk.GetArrayViewFromImage(mask)):
            text = f"{side} mask: is 0 everywhere, so nothing is left out"
            yield Remark("mask_empty", text, warning=False)
