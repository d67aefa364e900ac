"""A fixed and a moving image that belong together: read, and refused if they cannot be used."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.domain import LONGEST, MODALITIES, SHORTEST
from bundle.errors import InputError, Remark
from bundle.geometry.planes import choose_plane
from bundle.geometry.slices import plane_size
from bundle.images.color import luma
from bundle.images.dicom import Series, read_folder
from bundle.images.display import is_hounsfield
from bundle.images.kinds import is_volume
from bundle.images.pictures import picture_from, read_picture
from bundle.images.volume import Volume
from bundle.images.volumes import read_volume, volume_from
from bundle.options import Options

SIDES = ("fixed", "moving")


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


@dataclass(frozen=True)
class VolumePair:
    """Two volumes, each on a grid of its own.

    Attributes:
        fixed: the reference volume.
        moving: the volume to register.
        modality: CT, PET or SPECT, of the moving volume, if it is known.
        plane: of the slices in which the network sees them: axial, coronal or sagittal.
        hounsfield: whether fixed and moving hold Hounsfield units.
        remarks: what was noticed about both.
        began: when reading began, seconds since the epoch.
    """

    fixed: Volume
    moving: Volume
    modality: str | None
    plane: str
    hounsfield: tuple[bool, bool]
    remarks: tuple[Remark, ...] = ()
    began: float = 0.0


LoadedPair = PicturePair | VolumePair


def read_pair(fixed: Any, moving: Any, options: Options) -> LoadedPair:
    """Read two pictures or two volumes; every file is opened once.

    Args:
        fixed: the reference image: a path, or an image in memory: a ``SimpleITK.Image``, a
            nibabel image, a ``MetaTensor`` (1, X, Y, Z), or a picture as an array (H, W[, 3]).
        moving: the image to register, likewise.
        options: ``modality``, ``frame``, ``series`` and ``plane`` count.

    Raises:
        InputError: the two cannot be used together, or one of them not at all.
    """
    kinds = [_is_volume(image, side) for image, side in zip((fixed, moving), SIDES, strict=True)]
    if kinds[0] != kinds[1]:
        names = [_name(image, side) for image, side in zip((fixed, moving), SIDES, strict=True)]
        raise InputError(f"{names[0]}, {names[1]}: a picture and a volume; give two of one kind")
    return _volumes(fixed, moving, options) if kinds[0] else _pictures(fixed, moving, options)


def _is_path(image: Any) -> bool:
    return isinstance(image, (str, PathLike))


def _name(image: Any, side: str) -> str:
    """What messages call an image."""
    return str(image) if _is_path(image) else f"{side} image"


def _is_volume(image: Any, side: str) -> bool:
    if _is_path(image):
        return is_volume(image)
    if isinstance(image, sitk.Image) and image.GetDimension() == 2:
        raise InputError(f"{_name(image, side)}: is 2D; give a picture as an array (H, W)")
    return not isinstance(image, np.ndarray)


def _pictures(fixed: Any, moving: Any, options: Options) -> PicturePair:
    began = time.time()
    names = [_name(image, side) for image, side in zip((fixed, moving), SIDES, strict=True)]
    pictures = [
        read_picture(image) if _is_path(image) else picture_from(image, name)
        for image, name in zip((fixed, moving), names, strict=True)
    ]
    if pictures[0].shape[1:] != pictures[1].shape[1:]:
        sizes = [f"{image.shape[2]} x {image.shape[1]}" for image in pictures]
        raise InputError(
            f"{names[1]}: is {sizes[1]} pixels, but {names[0]} is {sizes[0]}; resample the "
            "moving picture onto the fixed one's grid, or give NIfTI volumes"
        )
    for name, image in zip(names, pictures, strict=True):
        _require_size(name, *image.shape[1:])
        if not torch.isfinite(image).all():
            raise InputError(f"{name}: holds NaN or infinite values; replace them")
        _require_variation(name, luma(image))
    modality = options.modality and options.modality.value
    return PicturePair(pictures[0], pictures[1], modality, began=began)


def _volumes(fixed: Any, moving: Any, options: Options) -> VolumePair:
    began = time.time()
    found = {folder: read_folder(folder) for folder in _folders(fixed, moving)}
    volumes = []
    for image, side in zip((fixed, moving), SIDES, strict=True):
        uids = _series_of(side, fixed, moving, options.series, found)
        if _is_path(image):
            one = read_volume(image, options.frame, uids, found.get(Path(image)))
        else:
            one = volume_from(image, _name(image, side), options.frame)
        volumes.append(one)
    plane = choose_plane(volumes[0].image, options.plane)
    _require_size(volumes[0].name, *plane_size(volumes[0].image, plane))
    values = [torch.from_numpy(sitk.GetArrayFromImage(volume.image)) for volume in volumes]
    for volume, array in zip(volumes, values, strict=True):
        _require_variation(volume.name, array)
    units = (is_hounsfield(values[0]), is_hounsfield(values[1]))
    modality = options.modality or volumes[1].modality
    return VolumePair(
        volumes[0], volumes[1], str(modality) if modality in MODALITIES else None, plane, units,
        (*_of_both(volumes), *_swapped(units, [volume.modality for volume in volumes])), began,
    )  # fmt: skip


def _folders(*images: Any) -> list[Path]:
    paths = dict.fromkeys(Path(image) for image in images if _is_path(image))
    return [path for path in paths if path.is_dir()]


def _series_of(
    side: str,
    fixed: Any,
    moving: Any,
    series: Sequence[str],
    found: Mapping[Path, Mapping[str, Series]],
) -> Sequence[str]:
    """The UIDs that are meant for one side.

    Two UIDs for one folder that holds both images are that of the fixed and that of the moving
    one, in this order.

    Raises:
        InputError: neither side has a series that is named.
    """
    known = {uid for folder in found.values() for uid in folder}
    unknown = [uid for uid in series if uid not in known]
    if unknown:
        own = _name(fixed if side == "fixed" else moving, side)
        places = " and ".join(map(str, found)) or own
        raise InputError(f"{places}: without the series {unknown[0]}; correct --series")
    both = _is_path(fixed) and _is_path(moving)
    if len(series) == 2 and both and Path(fixed).resolve() == Path(moving).resolve():
        return [series[SIDES.index(side)]]
    return series


def _of_both(volumes: Sequence[Volume]) -> Iterator[Remark]:
    for side, volume in zip(SIDES, volumes, strict=True):
        for remark in volume.remarks:
            yield replace(remark, text=f"{side} volume: {remark.text}")


def _swapped(units: Sequence[bool], modalities: Sequence[str | None]) -> Iterator[Remark]:
    """Fixed has to be the MRI: that is what the network has learnt."""
    if modalities[0] in MODALITIES or modalities[1] == "MR" or tuple(units) == (True, False):
        kinds = [m or ("CT" if u else "unknown") for m, u in zip(modalities, units, strict=True)]
        yield Remark(
            "swapped",
            f"fixed looks like {kinds[0]} and moving like {kinds[1]}: fixed should be the MRI; "
            "are they swapped?",
        )


def _require_size(name: str, height: int, width: int) -> None:
    if min(height, width) < SHORTEST or max(height, width) > LONGEST:
        raise InputError(
            f"{name}: is {width} x {height} pixels in plane; resample both images to "
            f"{SHORTEST} to {LONGEST} per side"
        )


def _require_variation(name: str, values: torch.Tensor) -> None:
    if values.min() == values.max():
        raise InputError(f"{name}: has the same value everywhere; check that it is the right image")
