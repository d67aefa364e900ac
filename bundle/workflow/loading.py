"""Load and normalise a pair, as dictionary transforms."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from monai.transforms import Transform

from bundle.errors import InputError
from bundle.workflow.datalist import MODALITIES
from bundle.images.display import is_hounsfield
from bundle.registration.slicewise import LONGEST, SHORTEST
from bundle.images import read
from bundle.images.color import luma
from bundle.images.dicom import modality_of, series_ids
from bundle.geometry.head import find_head
from bundle.geometry.planes import CODES, choose_plane
from bundle.images.volumes import SUFFIXES, Reading, reading_of
from bundle.geometry.slices import on_one_grid, to_slices
from bundle.registration.rigid import as_transform, find_start, overlap
from bundle.geometry.transform import resample

SIDES = ("fixed", "moving")
LEAST_OVERLAP = 0.01
"""Share of the fixed head that the moving volume has to cover."""


def is_volume(path: str) -> bool:
    """Tell volumes from pictures by the file's suffix.

    Args:
        path: a file, or the folder of a DICOM series.

    Returns:
        whether it is read as a volume; otherwise it is read as a picture.

    Raises:
        InputError: it is neither.
    """
    if Path(path).is_dir():
        return True
    name = Path(path).name.lower()
    if name.endswith(SUFFIXES):
        return True
    if name.endswith(read.SUFFIXES):
        return False
    known = ", ".join((*read.SUFFIXES, *SUFFIXES))
    raise InputError(f"{path}: unknown kind of file; hand over one of {known}")


class LoadPaird(Transform):
    """Read what lies under ``fixed`` and ``moving``: two pictures, or two volumes.

    Adds ``fixed_image`` and ``moving_image``: float (C, H, W), 0 to 255, for pictures; float64
    (1, H, W, D), in the file's units, on the fixed volume's grid, for volumes (see
    :func:`bundle.geometry.slices.to_slices`). For volumes also ``start``, the (4, 4) matrix
    of :func:`bundle.registration.rigid.find_start`; ``head``, uint8 (1, H, W, D), the fixed volume's
    head; ``spacing``, mm per row, column and slice; ``plane`` of the slices; ``overlap``, the
    share of the head that the moving volume covers; ``notes``, oddities, a line each;
    ``hounsfield``, for fixed and moving whether the file holds Hounsfield units; ``modality``
    where a DICOM header says it; ``began``, the time.

    A record may name a ``frame`` (for 4D files) and the UIDs of ``series`` (for folders with
    several, separated by commas; see :func:`named_series`).

    Args:
        init: how volumes are brought together first: none, center, rigid or affine.
        plane: of the slices: axial, coronal, sagittal, or auto (see
            :func:`bundle.geometry.planes.choose_plane`).
    """

    def __init__(self, init: str = "rigid", plane: str = "auto") -> None:
        self.init = init
        self.plane = plane

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Load one record; raises ``InputError`` if the two cannot be used together."""
        paths = data["fixed"], data["moving"]
        kinds = [is_volume(path) for path in paths]
        if kinds[0] != kinds[1]:
            raise InputError(f"{paths[0]}, {paths[1]}: a picture and a volume; hand over two alike")
        if kinds[0]:
            return data | self._volumes(data, *paths)
        images = _load_pictures(*paths)
        for path, image in zip(paths, images, strict=True):
            _require_content(path, image)
        return {**data, "fixed_image": images[0], "moving_image": images[1]}

    def _volumes(self, data: dict[str, Any], fixed_path: str, moving_path: str) -> dict[str, Any]:
        began = time.time()
        readings = read_side(data, "fixed"), read_side(data, "moving")
        fixed, moving = (reading.volume for reading in readings)
        plane = choose_plane(fixed, self.plane)
        _require_content(fixed_path, to_slices(fixed, plane))
        _require_variation(moving_path, to_slices(moving))
        modalities = [modality_of(Path(data[s]), named_series(data, s)) for s in SIDES]
        modality = data.get("modality") or modalities[1]
        units = [is_hounsfield(to_slices(one)) for one in (fixed, moving)]
        notes = [*_notes(readings), *_swapped(units, modalities)]
        try:
            start = find_start(fixed, moving, self.init)
        except InputError as error:
            raise InputError(f"{moving_path}: {error}") from error
        head = find_head(fixed)
        shared = overlap(head, moving, start)
        if shared < LEAST_OVERLAP:
            raise InputError(
                f"{moving_path}: covers {100 * shared:.1f} % of the fixed head; correct a header, "
                "or put the middles onto each other with init center"
            )
        if not (on_one_grid(fixed, moving) and (start == np.eye(4)).all()):
            moving = resample(moving, fixed, as_transform(start))
            _require_variation(moving_path, to_slices(moving), " in the fixed volume")
        x, y, z = sitk.DICOMOrient(fixed, CODES[plane]).GetSpacing()
        return {
            "fixed_image": to_slices(fixed, plane),
            "moving_image": to_slices(moving, plane),
            "head": to_slices(head, plane).to(torch.uint8),
            "spacing": torch.tensor([y, x, z]),
            "plane": plane,
            "start": torch.from_numpy(start),
            "overlap": shared,
            "notes": "\n".join(notes),
            "hounsfield": torch.tensor(units),
            "began": began,
            **({"modality": modality} if modality in MODALITIES else {}),
        }


def read_side(data: dict[str, Any], side: str) -> Reading:
    """Read the ``fixed`` or the ``moving`` volume of a record."""
    frame = data.get("frame")
    frame = None if frame in (None, "") else int(frame)
    return reading_of(data[side], frame, named_series(data, side))


def named_series(data: dict[str, Any], side: str) -> list[str]:
    """The UIDs that a record names for one side.

    Two UIDs for one folder that holds both images are that of the fixed and that of the moving
    one, in this order.

    Raises:
        InputError: neither side has a series that is named.
    """
    named = [uid.strip() for uid in str(data.get("series", "")).split(",") if uid.strip()]
    folders = [Path(data[s]) for s in SIDES if Path(data[s]).is_dir()]
    known = {uid for folder in folders for uid in series_ids(folder)}
    unknown = [uid for uid in named if uid not in known]
    if unknown:
        places = " and ".join(dict.fromkeys(map(str, folders))) or f"{data[side]}, a file,"
        raise InputError(f"{places}: without the series {unknown[0]}; correct --series")
    if len(named) == 2 and Path(data["fixed"]).resolve() == Path(data["moving"]).resolve():
        return [named[SIDES.index(side)]]
    return named


def _notes(readings: tuple[Reading, Reading]) -> list[str]:
    return [
        f"{side} volume: {note}"
        for side, reading in zip(SIDES, readings, strict=True)
        for note in reading.notes
    ]


def _swapped(units: Sequence[bool], modalities: Sequence[str | None]) -> Iterator[str]:
    """Fixed has to be the MRI: that is what the network has learnt."""
    if modalities[0] in MODALITIES or modalities[1] == "MR" or units == [True, False]:
        kinds = [m or ("CT" if u else "unknown") for m, u in zip(modalities, units, strict=True)]
        yield (
            f"fixed looks like {kinds[0]} and moving like {kinds[1]}: fixed should be the MRI; "
            "are they swapped?"
        )


def _load_pictures(fixed_path: str, moving_path: str) -> tuple[torch.Tensor, torch.Tensor]:
    fixed, moving = read.read_picture(fixed_path), read.read_picture(moving_path)
    if fixed.shape[1:] != moving.shape[1:]:
        sizes = [f"{image.shape[2]} x {image.shape[1]}" for image in (moving, fixed)]
        raise InputError(
            f"{moving_path}: is {sizes[0]} pixels, but {fixed_path} is {sizes[1]}; resample the "
            "moving picture onto the fixed one's grid, or hand over NIfTI volumes"
        )
    return fixed, moving


def _require_content(path: str, image: torch.Tensor) -> None:
    """Refuse what cannot be registered."""
    height, width = image.shape[1:3]
    if min(height, width) < SHORTEST or max(height, width) > LONGEST:
        raise InputError(
            f"{path}: is {width} x {height} pixels in plane; resample both images to "
            f"{SHORTEST} to {LONGEST} per side"
        )
    if not torch.isfinite(image).all():
        raise InputError(f"{path}: holds NaN or infinite values; replace them by the background")
    _require_variation(path, image)


def _require_variation(path: str, image: torch.Tensor, where: str = "") -> None:
    values = luma(image) if image.ndim == 3 else image
    if values.min() == values.max():
        raise InputError(
            f"{path}: has the same value everywhere{where}; check that it is the right image"
        )
