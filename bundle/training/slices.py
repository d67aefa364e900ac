"""From a pair of volumes to picture pairs for training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch.nn import functional

from bundle.errors import InputError
from bundle.workflow.loading import LoadPaird, is_volume
from bundle.images.display import NormalizePaird
from bundle.images.pictures import write_picture

CONTENT = 0.1
"""Values above it (of [0, 1]) count as head."""


def slice_pairs(
    record: dict[str, str],
    size: int = 256,
    step: float = 4.0,
    init: str = "none",
    plane: str = "auto",
    ct_window: Sequence[float] = (-20.0, 150.0),
    percentiles: Sequence[float] = (0.5, 99.5),
    least: float = 0.1,
) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
    """Cut slices of two aligned volumes, with square pixels, in the middle of a square.

    Args:
        record: ``fixed`` and ``moving`` files and ``modality``, see :class:`LoadPaird`.
        size: pixels per side.
        step: mm between slices, at least the volume's own distance.
        init: how the volumes are brought together first, see
            :func:`bundle.registration.rigid.find_start`; "none" trusts their headers.
        plane: axial, coronal, sagittal, or auto: the one that inference would choose.
        ct_window: HU shown as black and white.
        percentiles: shown as black and white in all other volumes.
        least: share of a slice's pixels that must be head in both volumes.

    Yields:
        slice number, fixed and moving, each (1, size, size) on the scale 0 to 255.

    Raises:
        InputError: a volume cannot be read or used.
    """
    for key in ("fixed", "moving"):
        if not is_volume(record[key]):
            raise InputError(f"{record[key]}: is a picture; hand over volumes")
    data = NormalizePaird(ct_window, percentiles)(LoadPaird(init, plane)(record))
    rows, columns, distance = data["spacing"].tolist()
    image = data["image"]
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
