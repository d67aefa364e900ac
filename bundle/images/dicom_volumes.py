"""Several volumes in one DICOM series: frames of a dynamic scan, echoes, magnitude and phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydicom import Dataset

from bundle.errors import InputError
from bundle.images.dicom_header import position

APART = (
    "TemporalPositionIdentifier",
    "EchoNumbers",
    "EchoTime",
    "InversionTime",
    "DiffusionBValue",
    "FlipAngle",
    "ImageType",
    "FrameReferenceTime",
    "TriggerTime",
    "AcquisitionNumber",
    "AcquisitionDateTime",
    "AcquisitionTime",
    "ConvolutionKernel",
)
"""Attributes that tell the volumes of one series apart, the clearest first."""

SAME = 1e-3
"""Millimetres within which two slices lie at one position."""

SHOWN = 6
"""Volumes that are listed at most."""


def one_volume(folder: Path, slices: Sequence[Dataset], frame: int | None) -> Sequence[Dataset]:
    """The slices of one volume.

    Args:
        folder: named in errors.
        slices: of a series, in order of their positions.
        frame: number of the volume, from 0; not needed where there is one.

    Returns:
        its slices in their order; all of them where no attribute tells volumes apart.

    Raises:
        InputError: there are several, and none of them is named.
    """
    if not _repeated(slices):
        return slices
    for keyword in APART:
        volumes = _parted(slices, keyword)
        if volumes is None:
            continue
        if frame is not None and 0 <= frame < len(volumes):
            return list(volumes.values())[frame]
        listed = [f"{number}: {value}" for number, value in enumerate(volumes)]
        dots = ["..."] if len(listed) > SHOWN else []
        raise InputError(
            f"{folder}: its series holds {len(volumes)} volumes, told apart by {keyword} "
            f"({', '.join(listed[:SHOWN] + dots)}); name one of them: --frame 0 to "
            f'{len(volumes) - 1} ("frame" in a list)'
        )
    return slices


def _repeated(slices: Sequence[Dataset]) -> bool:
    """Whether two slices lie at one position."""
    places = [position(one) for one in slices]
    known = [np.round(place / SAME).astype(int) for place in places if place is not None]
    return len({tuple(place) for place in known}) < len(known)


def _parted(slices: Sequence[Dataset], keyword: str) -> Mapping[str, list[Dataset]] | None:
    """Volumes by what an attribute says, in its order; None unless it makes whole ones."""
    found: dict[str, list[Dataset]] = {}
    for one in slices:
        found.setdefault(_text(one, keyword), []).append(one)
    counts = {len(volume) for volume in found.values()}
    if len(found) < 2 or len(counts) > 1 or any(map(_repeated, found.values())):
        return None
    try:
        names = sorted(found, key=float)
    except ValueError:
        names = sorted(found)
    return {name: found[name] for name in names}


def _text(slice_: Dataset, keyword: str) -> str:
    value = slice_.get(keyword)
    several = isinstance(value, Sequence) and not isinstance(value, str)
    return " ".join(map(str, value)) if several else str("" if value is None else value)
