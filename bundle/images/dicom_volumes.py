"""Several volumes in one DICOM series: of a dynamic or gated scan, echoes, magnitude and phase."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset

from bundle.errors import InputError
from bundle.images.dicom_header import position, text_of

APART = (
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "TimeSlotVector",
    "TimeSliceVector",
    "PhaseVector",
    "RRIntervalVector",
    "EnergyWindowVector",
    "DetectorVector",
    "EchoNumbers",
    "EchoTime",
    "EffectiveEchoTime",
    "InversionTime",
    "InversionTimes",
    "DiffusionBValue",
    "FlipAngle",
    "ImageType",
    "FrameType",
    "ComplexImageComponent",
    "NominalCardiacTriggerDelayTime",
    "FrameReferenceTime",
    "TriggerTime",
    "AcquisitionNumber",
    "FrameAcquisitionNumber",
    "FrameReferenceDateTime",
    "FrameAcquisitionDateTime",
    "AcquisitionDateTime",
    "AcquisitionTime",
    "ConvolutionKernel",
)
"""Attributes that tell the volumes of one series apart, the clearest first."""

STACKS = ("StackID", "filename")
"""What tells stacks of frames apart that may differ in size and place."""

Volumes = Mapping[tuple[str, ...], list[Dataset]]
"""Slices by what their attributes say."""

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
    parted = volumes_in(slices)
    if parted is None:
        return slices
    way, volumes = parted
    if frame is not None and 0 <= frame < len(volumes):
        return list(volumes.values())[frame]
    listed = [f"{number}: {value}" for number, value in enumerate(_shown(way, volumes))]
    dots = ["..."] if len(listed) > SHOWN else []
    raise InputError(
        f"{folder}: its series holds {len(volumes)} volumes, told apart by {' and '.join(way)} "
        f"({', '.join(listed[:SHOWN] + dots)}); name one of them: --frame 0 to "
        f'{len(volumes) - 1} ("frame" in a list)'
    )


def volumes_in(
    slices: Sequence[Dataset],
) -> tuple[Sequence[str], Volumes] | None:
    """The volumes of a series and the attributes that tell them apart; None of a single one.

    Args:
        slices: of a series, in order of their positions.
    """
    apart = _stacked(slices)
    if not apart and not _repeated(slices):
        return None
    stacks = STACKS if len({_text(one, "filename") for one in slices}) < len(slices) else ()
    ways = [*((name,) for name in (*APART, *stacks)), *combinations((*stacks, *APART), 2)]
    for way in ways:
        volumes = _parted(slices, way)
        if volumes is not None and (not apart or apart in way):
            return way, volumes
    return None


def _stacked(slices: Sequence[Dataset]) -> str:
    """What parts frames of enhanced files into stacks, '' if all of them are one."""
    if len({_text(one, "StackID") for one in slices}) > 1:
        return "StackID"
    files = Counter(_text(one, "filename") for one in slices)
    several = len(files) > 1 and min(files.values()) > 1
    return "filename" if several and not text_of(slices[0], "ConcatenationUID") else ""


def _repeated(slices: Sequence[Dataset]) -> bool:
    """Whether two slices lie at one position, or, where these are unknown, have one number."""
    places = [position(one) for one in slices]
    known: list[Any] = [
        tuple(np.round(place / SAME).astype(int)) for place in places if place is not None
    ]
    known = known or [_text(one, "InstanceNumber") for one in slices]
    return len(set(known)) < len(known)


def _parted(slices: Sequence[Dataset], way: Sequence[str]) -> Volumes | None:
    """Volumes by what attributes say, in their order; None unless they make whole ones."""
    found: dict[tuple[str, ...], list[Dataset]] = {}
    for one in slices:
        found.setdefault(tuple(_text(one, keyword) for keyword in way), []).append(one)
    unequal = len({len(volume) for volume in found.values()}) > 1
    if len(found) in (1, len(slices)) or any(map(_repeated, found.values())):
        return None  # one volume, or slices that each say a time of their own
    if unequal and not set(way) & set(STACKS):
        return None
    try:
        names = sorted(found, key=lambda values: [float(value) for value in values])
    except ValueError:
        names = sorted(found)
    return {values: found[values] for values in names}


def _shown(way: Sequence[str], volumes: Volumes) -> list[str]:
    """What tells volumes apart, in messages; of files what their names differ in."""
    rows = [list(values) for values in volumes]
    if "filename" in way:
        column = way.index("filename")
        paths = [Path(row[column]) for row in rows]
        folder = os.path.commonpath([path.parent for path in paths])
        for row, path in zip(rows, paths, strict=True):
            row[column] = path.relative_to(folder).as_posix()
    return [", ".join(row) for row in rows]


def _text(slice_: Dataset, keyword: str) -> str:
    if keyword == "filename":
        return str(slice_.filename)
    text = text_of(slice_, keyword)
    if keyword == "AcquisitionTime" and text:  # the date keeps frames in order across midnight
        return text_of(slice_, "AcquisitionDate") + text
    return text
