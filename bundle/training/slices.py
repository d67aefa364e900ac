"""From a pair of volumes to picture pairs for training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch.nn import functional

from bundle.errors import InputError
from bundle.geometry.slices import plane_spacing
from bundle.images.kinds import is_volume
from bundle.images.pair import read_pair
from bundle.images.pictures import write_picture
from bundle.options import Options
from bundle.registration import InitializedPair, initialize

CONTENT = 0.1
"""Values above it (of [0, 1]) count as head."""


def slice_pairs(
    fixed: str,
    moving: str,
    options: Options,
    size: int = 256,
    step: float = 4.0,
    least: float = 0.1,
) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
    """Cut slices of two aligned volumes, with square pixels, in the middle of a square.

    Args:
        fixed: the MRI volume.
        moving: the other one.
        options: how they are read, brought together and displayed; the plane is that of inference.
        size: pixels per side.
        step: mm between slices, at least the volume's own distance.
        least: share of a slice's pixels that must be head in both volumes.

    Yields:
        slice number, fixed and moving, each (1, size, size) on the scale 0 to 255.

    Raises:
        InputError: a volume cannot be read or used.
    """
    for path in (fixed, moving):
        if not is_volume(path):
            raise InputError(f"{path}: is a picture; name volumes")
    ready = initialize(read_pair(fixed, moving, options), options)
    assert isinstance(ready, InitializedPair)
    rows, columns, distance = plane_spacing(ready.pair.fixed.image, ready.pair.plane)
    image = ready.image
    width = max(image.shape[1] * rows, image.shape[2] * columns) / size
    shape = [
        max(1, round(image.shape[1] * rows / width)),
        max(1, round(image.shape[2] * columns / width)),
    ]
    for k in range(0, image.shape[3], max(1, round(step / distance))):
        both = image[None, ..., k]
        if ((both > CONTENT).float().mean(dim=(2, 3)) < least).any():
            continue
        both = functional.interpolate(both, shape, mode="bilinear", antialias=True)
        high, wide = size - shape[0], size - shape[1]
        margins = (wide // 2, wide - wide // 2, high // 2, high - high // 2)
        both = 255 * functional.pad(both, margins).clamp(0, 1)
        yield k, both[0, :1], both[0, 1:]


def write_slices(
    slices: Iterator[tuple[int, torch.Tensor, torch.Tensor]],
    folder: Path,
    modality: str,
    case: int,
    first: int = 0,
) -> list[int]:
    """Write ``MRI/NAME.png`` and ``<modality>/NAME.png``, NAME = case x 1000 + number.

    Args:
        slices: of :func:`slice_pairs`.
        folder: such as ``my_pairs/CT-MRI/train``.
        modality: CT, PET or SPECT.
        case: number of the patient.
        first: number of slice 0, for another volume of the same patient.

    Returns:
        the numbers of the slices that were written.

    Raises:
        InputError: the numbers of a patient reach 1000.
    """
    numbers = []
    for k, fixed, moving in slices:
        if first + k > 999:
            raise InputError(
                f"case {case}: has more than 1000 {modality} slices; list fewer of its volumes"
            )
        for kind, picture in (("MRI", fixed), (modality, moving)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            write_picture(picture, folder / kind / f"{case * 1000 + first + k}.png")
        numbers.append(first + k)
    return numbers
