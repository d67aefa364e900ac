"""A fixed and a moving image that belong together: read, and refused if they cannot be used."""

from __future__ import annotations

import time
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.domain import MOVING
from bundle.errors import InputError, Remark, refuse_warnings
from bundle.geometry.planes import choose_plane
from bundle.geometry.slices import plane_size
from bundle.images.dicom import read_folder
from bundle.images.dicom_choice import ROLES, named_series, require_two_series
from bundle.images.frames import MEAN, Frame
from bundle.images.kinds import is_dicom, is_volume
from bundle.images.labels import read_labels
from bundle.images.mask import Masks, read_masks
from bundle.images.pair_remarks import contrasts, of_both, two_persons
from bundle.images.picture_pair import PicturePair, read_pictures
from bundle.images.uptake import with_suv
from bundle.images.usable import require_resolution, require_size, require_variation
from bundle.images.volume import Volume
from bundle.images.volumes import IN_MEMORY, read_volume, unknown_kind, volume_from
from bundle.options import Options
from bundle.progress import SILENT, Progress, Stage, expected_seconds

SIDES = ("fixed", "moving")


@dataclass(frozen=True)
class VolumePair:
    """Two volumes, each on a grid of its own.

    Attributes:
        fixed: the reference volume.
        moving: the volume to register.
        modality: CT, PET, SPECT or MR, of the moving volume, if it is known.
        plane: of the slices in which the network sees them: axial, coronal or sagittal.
        hounsfield: whether fixed and moving are a CT in Hounsfield units: as the header or the
            user says; of a moving volume of which nobody says anything as its values look.
        masks: of fixed and moving what is left out of the registration.
        remarks: what was noticed about both.
        began: when reading began, seconds since the epoch.
        labels: int32, a label map of the fixed volume on a grid of its own, if there is one.
    """

    fixed: Volume
    moving: Volume
    modality: str | None
    plane: str
    hounsfield: tuple[bool, bool]
    masks: Masks = (None, None)
    remarks: tuple[Remark, ...] = ()
    began: float = 0.0
    labels: sitk.Image | None = None


LoadedPair = PicturePair | VolumePair


def read_pair(fixed: Any, moving: Any, options: Options, progress: Progress = SILENT) -> LoadedPair:
    """Read two pictures or two volumes; every file is opened once.

    Args:
        fixed: the reference image: a path, or an image in memory: a ``SimpleITK.Image``, a
            nibabel image, a ``MetaTensor`` (1, X, Y, Z), or a picture as an array (H, W[, 3]); or
            the :class:`Volume` of another pair, which is not read again.
        moving: the image to register, likewise.
        options: ``modality``, ``frame``, ``apply_to_all_frames``, ``fixed_frame``, ``series``,
            ``spacing``, ``plane``, ``suv``, ``labels``, ``fixed_mask``, ``moving_mask``,
            ``resolution`` and ``strict`` count; ``refine`` for the time that is expected.
        progress: is told that reading begins and, of volumes, how long the rest may take.

    Returns:
        both images with what their headers say of modality and unit, and remarks.

    Raises:
        InputError: the two cannot be used together, or one of them not at all; or, with
            ``strict``, there is something to be warned of.
    """
    progress(Stage.READ)
    kinds = [_is_volume(image, side) for image, side in zip((fixed, moving), SIDES, strict=True)]
    names = [_name(image, side) for image, side in zip((fixed, moving), SIDES, strict=True)]
    if kinds[0] != kinds[1]:
        raise InputError(f"{names[0]}, {names[1]}: a picture and a volume; give two of one kind")
    pair: LoadedPair
    if kinds[0]:
        pair = _volumes(fixed, moving, options)
    else:
        pair = read_pictures((fixed, moving), (names[0], names[1]), options)
    if options.strict:
        refuse_warnings(", ".join(names), pair.remarks)
    if isinstance(pair, VolumePair):
        progress.expect(_expected(pair, options))
    return pair


def _expected(pair: VolumePair, options: Options) -> dict[Stage, float]:
    """Seconds that the stages of a pair are about to take."""
    fixed, moving = (one.image.GetSize() for one in (pair.fixed, pair.moving))
    extent = [n * s for n, s in zip(fixed, pair.fixed.image.GetSpacing(), strict=True)]
    refined = options.refine == "bspline"
    return expected_seconds(fixed, moving, extent, torch.get_num_threads(), refined)


def _is_path(image: Any) -> bool:
    return isinstance(image, (str, PathLike))


def _name(image: Any, side: str) -> str:
    """What messages call an image."""
    if isinstance(image, Volume):
        return image.name
    return str(image) if _is_path(image) else f"{side} image"


def _is_volume(image: Any, side: str) -> bool:
    if _is_path(image):
        return is_volume(image)
    if isinstance(image, sitk.Image) and image.GetDimension() == 2:
        raise InputError(f"{_name(image, side)}: is 2D; give a picture as an array (H, W)")
    if not isinstance(image, (Volume, np.ndarray, *IN_MEMORY)):
        raise unknown_kind(image, _name(image, side))
    return not isinstance(image, np.ndarray)


def read_volumes(fixed: Any, moving: Any, options: Options) -> list[Volume]:
    """Read two volumes, each with the frame and series that are meant for its side.

    Args:
        fixed: the reference volume, as for :func:`read_pair`.
        moving: the other one.
        options: ``modality``, ``frame``, ``apply_to_all_frames``, ``fixed_frame``, ``series`` and
            ``spacing`` count.

    Raises:
        InputError: as of :func:`bundle.images.volumes.read_volume`; or no path holds a series
            that is named.
    """
    found = {path: read_folder(path) for path in _dicom(fixed, moving)}
    named = named_series(options.series, fixed, moving, found)
    wanted = {**ROLES, **({"moving": (str(options.modality),)} if options.modality else {})}
    volumes = []
    for image, side, frame in zip((fixed, moving), SIDES, _frames(options), strict=True):
        if isinstance(image, Volume):
            one = image
        elif _is_path(image):
            one = read_volume(
                image, frame, named[side], found.get(Path(image)), options.spacing, wanted[side]
            )
        else:
            one = volume_from(image, _name(image, side), frame)
        volumes.append(one)
    return volumes


def _frames(options: Options) -> tuple[Frame | None, Frame | None]:
    """Which frames are meant of the fixed and of the moving volume."""
    mean = MEAN if options.frame is None and options.apply_to_all_frames else options.frame
    return options.frame if options.fixed_frame is None else options.fixed_frame, mean


def _require_frames(volumes: list[Volume], options: Options) -> None:
    """Refuse a frame that is asked of a volume that has one alone."""
    fixed, moving = volumes
    if options.apply_to_all_frames and moving.frames is None:
        raise InputError(f"{moving.name}: has one frame; leave out apply_to_all_frames")
    if options.fixed_frame not in (None, 0, MEAN) and fixed.frames is None:
        raise InputError(f"{fixed.name}: has one frame; leave out fixed_frame")
    single = fixed.frames is None and moving.frames is None
    if options.frame not in (None, 0, MEAN) and single:
        raise InputError(f"{moving.name}: has one frame; leave out frame")


def _volumes(fixed: Any, moving: Any, options: Options) -> VolumePair:
    began = time.time()
    volumes = read_volumes(fixed, moving, options)
    if _is_path(fixed) and _is_path(moving):
        require_two_series(volumes, _frames(options))
    _require_frames(volumes, options)
    plane = choose_plane(volumes[0].image, options.plane)
    require_size(volumes[0].name, *plane_size(volumes[0].image, plane), plane)
    values = [torch.from_numpy(sitk.GetArrayFromImage(volume.image)) for volume in volumes]
    for volume, array in zip(volumes, values, strict=True):
        require_variation(volume.name, array)
    if options.resolution is not None:
        require_resolution(volumes[0], plane, options.resolution)
    stated = options.modality is not None
    modality = options.modality or volumes[1].modality
    of_one_path = volumes[0].name == volumes[1].name and len(options.series) == 2
    if options.suv and of_one_path and volumes[1].modality == "MR":
        raise InputError(
            f"{volumes[1].name}: series {options.series[-1]} is MR, not PET: is the order of "
            "--series swapped? That of the fixed image comes first"
        )
    volumes[1], noted = with_suv(volumes[1], modality and str(modality), options.suv)
    windowed, remarks = contrasts(volumes, values, modality and str(modality), stated)
    masks, empty = read_masks((options.fixed_mask, options.moving_mask), volumes)
    return VolumePair(
        volumes[0], volumes[1], str(modality) if modality in MOVING else None, plane, windowed,
        masks, (*of_both(volumes, SIDES), *remarks, *noted, *two_persons(volumes), *empty), began,
        read_labels(options.labels, volumes[0].image) if options.labels else None,
    )  # fmt: skip


def _dicom(*images: Any) -> list[Path]:
    paths = dict.fromkeys(Path(image) for image in images if _is_path(image))
    return [path for path in paths if is_dicom(path)]
