"""Which of several DICOM series is meant: the named one, or the only sensible one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from bundle.domain import MODALITIES
from bundle.errors import InputError, Remark
from bundle.images.dicom import Series
from bundle.images.dicom_frames import frames_in
from bundle.images.dicom_grid import grid_of
from bundle.images.dicom_header import numbers, text_of
from bundle.images.dicom_pixels import GREY
from bundle.images.frames import Frame
from bundle.images.volume import Volume

ROLES = {"fixed": ("MR",), "moving": MODALITIES}
"""Modalities that an image on each side has as a rule."""

FEW = 3
"""Slices that a localiser has at most, in each of its directions."""

SHOWN = 9
"""Series that are listed at most in an error."""


def in_list(found: Mapping[str, Series]) -> list[Series]:
    """Series in the order in which they are listed, which their numbers from 1 count by."""
    return sorted(found.values(), key=lambda series: (_number(series), series.uid))


def choose_series(
    path: Path,
    found: Mapping[str, Series],
    named: Sequence[str] = (),
    wanted: Sequence[str] = (),
) -> tuple[Series, list[Remark]]:
    """Choose the only series, or the one that is named, or the only sensible one of these.

    Args:
        path: named in errors.
        found: what :func:`bundle.images.dicom.read_folder` found there.
        named: UIDs, or numbers of :func:`in_list`, out of which one is the series to read.
        wanted: modalities that come first where several series are volumes.

    Returns:
        the series, and a note where it was not named alone and there were others.

    Raises:
        InputError: there is no series, or there are several of which none is named.
    """
    if not found:
        raise InputError(f"{path}: holds no DICOM series; name the folder of the slices")
    listed = in_list(found)
    meant = [
        series
        for number, series in enumerate(listed, start=1)
        if series.uid in named or str(number) in named
    ]
    if len(meant) == 1:
        return meant[0], []
    left = meant or listed
    left = [series for series in left if _is_volume(series)] or left
    left = [series for series in left if series.modality in wanted] or left
    if len(left) > 1:
        raise InputError(
            f"{path}: holds {len(found)} series: {_summary(listed)}; name one: --series UID, or "
            'its number ("series" in a list); --list_series PATH says more of them'
        )
    if len(found) == 1:
        return left[0], []
    kind = left[0].modality or "unknown"
    text = f"of {len(found)} series the only one that can be meant was taken: {kind}"
    return left[0], [Remark("series_chosen", text, warning=False)]


def series_table(path: Path, found: Mapping[str, Series]) -> list[str]:
    """The series of a path, a line each below a heading.

    Args:
        path: of the series.
        found: what :func:`bundle.images.dicom.read_folder` found there.

    Returns:
        number, modality, description, slices, spacing in mm and UID, in columns.

    Raises:
        InputError: there is no series.
    """
    if not found:
        raise InputError(f"{path}: holds no DICOM series; name the folder of the slices")
    rows = [("number", "modality", "description", "slices", "spacing (mm)", "UID")]
    for number, series in enumerate(in_list(found), start=1):
        first = series.slices[0]
        texts = (text_of(first, "Modality") or "?", text_of(first, "SeriesDescription"))
        modality, description = (" ".join(text.split()) for text in texts)
        rows.append(
            (str(number), modality, description, str(_slices(series)), _spacing(series), series.uid)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def named_series(
    named: Sequence[str], fixed: Any, moving: Any, found: Mapping[Path, Mapping[str, Series]]
) -> dict[str, Sequence[str]]:
    """Which of the series that are named are meant for each side.

    Two of one path are that of the fixed and that of the moving image, in this order, and so are
    two where a number is among them. A single one of one path is that of the side whose modality
    it has: the other side's is among the rest. A single number is that of the path that holds
    several.

    Args:
        named: UIDs, or numbers of :func:`in_list`.
        fixed: a path or an image in memory.
        moving: likewise.
        found: the series of the paths.

    Returns:
        by side, of which each side's path may hold some.

    Raises:
        InputError: none of the paths holds a series that is named; or a single number could be
            meant for either.
    """
    sides = {"fixed": _path(fixed), "moving": _path(moving)}
    places = " and ".join(map(str, found)) or str(sides["fixed"] or "fixed image")
    known = {uid for series in found.values() for uid in series}
    most = max(map(len, found.values()), default=0)
    for one in named:
        if not (one in known or (one.isdecimal() and 1 <= int(one) <= most)):
            raise InputError(f"{places}: without the series {one}; correct --series")
    numbered = any(one.isdecimal() for one in named)
    same = len({path.resolve() if path else None for path in sides.values()}) == 1
    if len(named) == 2 and (numbered or same):
        return {side: [one] for side, one in zip(sides, named, strict=True)}
    if len(named) == 1 and same:
        return _one_and_rest(named[0], next(iter(found.values())))
    several = [path for path, series in found.items() if len(series) > 1]
    if numbered and len(several) > 1:
        raise InputError(f"{places}: give two numbers, that of the fixed image first: --series")
    if numbered:
        return {side: named if path in several else [] for side, path in sides.items()}
    return dict.fromkeys(sides, named)


def require_two_series(volumes: Sequence[Volume], frames: Sequence[Frame | None]) -> None:
    """Refuse to register a volume of a series onto itself: no result would mean anything.

    Args:
        volumes: fixed and moving.
        frames: which one is meant of a series that holds several, of both.

    Raises:
        InputError: both are one series of one path, and one frame of it.
    """
    fixed, moving = volumes
    if fixed.header is None or moving.header is None:
        return
    uids = {text_of(one.header, "SeriesInstanceUID") for one in volumes}
    one_path = Path(fixed.name).resolve() == Path(moving.name).resolve()
    other_frame = fixed.frames is not None and frames[0] != frames[1]
    if one_path and len(uids) == 1 and not other_frame:
        raise InputError(
            f"{moving.name}: names one series for both images; give two, the fixed image's first: "
            "--series FIXED MOVING"
        )


def _one_and_rest(name: str, found: Mapping[str, Series]) -> dict[str, Sequence[str]]:
    """A series of a path that holds both images, and for the other side all others."""
    listed = in_list(found)
    one = next(s for number, s in enumerate(listed, start=1) if name in (s.uid, str(number)))
    side, other = ("fixed", "moving") if one.modality in ROLES["fixed"] else ("moving", "fixed")
    rest = [series for series in listed if series is not one]
    fit = [s for s in rest if _is_volume(s)] or [s for s in rest if s.modality in ROLES[other]]
    return {side: [one.uid], other: [series.uid for series in fit or [one]]}


def _path(image: Any) -> Path | None:
    return Path(image) if isinstance(image, (str, PathLike)) else None


def _number(series: Series) -> float:
    try:
        return (numbers(series.slices[0], "SeriesNumber") or [0.0])[0]
    except InputError:
        return 0.0


def _slices(series: Series) -> int:
    return sum(map(frames_in, series.slices))


def _spacing(series: Series) -> str:
    try:
        spacing = grid_of(series.folder, series.slices).spacing
    except InputError:  # what is missing or odd is told when it is read
        return "?"
    return " x ".join(f"{size:.4g}" for size in spacing)


def _is_volume(series: Series) -> bool:
    """Whether it can be a volume to register: no localiser, no colours, none that we made."""
    first = series.slices[0]
    kinds = text_of(first, "ImageType").upper()
    ours = text_of(first, "Manufacturer") == "BiMSRec"
    grey = (text_of(first, "PhotometricInterpretation") or GREY[0]) in GREY
    return _slices(series) > FEW and grey and "LOCALIZER" not in kinds and not ours


def _summary(listed: Sequence[Series]) -> str:
    texts = [
        f"{number}: {series.uid} ({text_of(series.slices[0], 'Modality') or 'unknown'}, "
        f"{_slices(series)} slices)"
        for number, series in enumerate(listed, start=1)
    ]
    return ", ".join([*texts[:SHOWN], *(["..."] if len(texts) > SHOWN else [])])
