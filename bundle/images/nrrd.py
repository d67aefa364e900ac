"""Read NRRD files, every field of which is looked at before it is used.

ITK's own reader takes what a header leaves unsaid to be 1 mm and upright, ignores units and all
spaces but three. The fields: https://teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bundle.errors import InputError, Remark
from bundle.images.frames import Choose, picked
from bundle.images.grid import require_plausible
from bundle.images.stored import Stored, stored_values
from bundle.images.text_header import (
    LONGEST_HEADER,
    NO_ORIENTATION,
    NO_PLACE,
    UNITS,
    beside,
    damaged_header,
    lengths,
    numbers,
    sizes_or_stated,
)

MAGIC = re.compile(rb"NRRD000[1-5]\r?\n")

TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long",
           "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}  # fmt: skip
KINDS = {name: kind for kind, names in TYPES.items() for name in names}
"""NumPy's types by the names of the format."""

PACKINGS = {
    "raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2",
    "text": "text", "txt": "text", "ascii": "text", "hex": "hex",
}  # fmt: skip

SPACES = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}
"""Signs along x, y, z that lead from an anatomical space to LPS."""

COUNTED = ("list", "time")
"""Kinds of an axis that counts volumes."""

SPATIAL = ("domain", "space", "???", "none")
"""Kinds of an axis of space, and what says none."""


def read_nrrd(
    path: Path,
    choose: Choose,
    spacing: Sequence[float] | None = None,
) -> tuple[np.ndarray, np.ndarray, list[Remark]]:
    """Read one scalar volume.

    Args:
        path: the file.
        choose: which frame is wanted; called if the file is 4D.
        spacing: mm, counts where the header says no voxel size.

    Returns:
        the values (X, Y, Z); the affine (4, 4) from voxels to mm, LPS; what the header lacks.

    Raises:
        InputError: the file is damaged, no scalar volume, lacks the voxel size, or is far from a
            head's size.
    """
    name = str(path)
    fields, after = _header(path)
    count = lengths(name, "dimension", fields.get("dimension", ""), 1)[0]
    if count not in (3, 4):
        raise InputError(f"{name}: has {count} axes; extract one scalar 3D volume first")
    shape = lengths(name, "sizes", fields.get("sizes", ""), count)
    vectors = _vectors(name, fields, count)
    frames = _axis_of_frames(name, fields, vectors, count)
    space = [axis for axis in range(count) if axis != frames]
    affine, remarks = _affine(name, fields, vectors, space, spacing)
    require_plausible(name, [shape[a] for a in space], np.linalg.norm(affine[:3, :3], axis=0))
    frame = None if frames is None else choose(shape[frames])
    values = stored_values(_stored(path, fields, after, shape))
    if frames is not None and frame is not None:
        values = picked(values, frame, frames)
    return values, affine, remarks


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The fields, by their names in lower case, and where the header ends."""
    with path.open("rb") as file:
        start = file.read(LONGEST_HEADER)
    magic = MAGIC.match(start)
    if magic is None:
        raise InputError(
            f"{path}: is not what its suffix says, or its header is damaged; export it anew"
        )
    fields: dict[str, str] = {}
    place = magic.end()
    while place < len(start):
        end = start.find(b"\n", place)
        end = len(start) if end < 0 else end
        line = start[place:end].decode("utf-8", "replace").strip()
        place = end + 1
        if not line:
            return fields, place
        key, there, value = line.partition(": ")
        if line.startswith("#") or ":=" in line.split(": ")[0] or not there:
            continue
        key = key.strip().lower().replace("datafile", "data file").replace("centers", "centerings")
        if key in fields:
            raise InputError(f"{path}: its header says two things of {key!r}; correct it")
        fields[key] = value.strip()
    return fields, len(start)  # of a detached header nothing has to follow


def _vectors(name: str, fields: Mapping[str, str], count: int) -> list[np.ndarray | None] | None:
    """The step along each axis, (3,), None of an axis that is none of space; None if unsaid."""
    text = fields.get("space directions")
    if text is None or "(" not in text:
        return None
    parts = re.findall(r"none|\([^()]*\)", text)
    if len(parts) != count or re.sub(r"none|\([^()]*\)", "", text).strip():
        raise damaged_header(name, "space directions")
    return [None if part == "none" else _vector(name, "space directions", part) for part in parts]


def _vector(name: str, field: str, text: str) -> np.ndarray:
    return numbers(name, field, text.strip("()").replace(",", " "), 3)


def _axis_of_frames(
    name: str, fields: Mapping[str, str], vectors: Sequence[np.ndarray | None] | None, count: int
) -> int | None:
    """The axis that counts volumes, if there is one."""
    kinds = fields.get("kinds", "").lower().split() or ["???"] * count
    if len(kinds) != count:
        raise damaged_header(name, "kinds")
    if vectors is None:
        others = [axis for axis in range(count) if kinds[axis] not in SPATIAL]
    else:
        others = [axis for axis in range(count) if vectors[axis] is None]
    others = others or list(range(3, count))
    single = len(others) == count - 3
    if not single or any(kinds[axis] not in (*COUNTED, *SPATIAL) for axis in range(count)):
        raise InputError(f"{name}: holds several values per voxel; extract one scalar volume first")
    return others[0] if others else None


def _affine(
    name: str,
    fields: Mapping[str, str],
    vectors: Sequence[np.ndarray | None] | None,
    space: Sequence[int],
    spacing: Sequence[float] | None,
) -> tuple[np.ndarray, list[Remark]]:
    """From voxels to millimetres, LPS, and what is not said."""
    affine, remarks = np.eye(4), []
    unit = _unit(name, fields, space)
    signs = SPACES.get(fields.get("space", "").lower().removesuffix("-time"))
    if vectors is None:
        sizes = None
        if "spacings" in fields:
            count = len(fields.get("sizes", "").split())
            words = fields["spacings"].split()
            if len(words) != count:
                raise damaged_header(name, "spacings")
            own = " ".join(words[axis] for axis in space)
            sizes = None if "nan" in own.lower() else unit * numbers(name, "spacings", own, 3)
        affine[:3, :3] *= sizes_or_stated(name, sizes, spacing)
        remarks.append(NO_ORIENTATION)
    else:
        steps = [vectors[axis] for axis in space]
        if any(step is None or not step.any() for step in steps):
            raise damaged_header(name, "space directions")
        affine[:3, :3] = unit * np.stack([step for step in steps if step is not None], axis=1)
        if signs is None:
            remarks.append(NO_ORIENTATION)
    if "space origin" in fields:
        affine[:3, 3] = unit * _vector(name, "space origin", fields["space origin"])
    elif not remarks:
        remarks.append(NO_PLACE)
    return np.diag([*(signs or (1, 1, 1)), 1.0]) @ affine, remarks


def _unit(name: str, fields: Mapping[str, str], space: Sequence[int]) -> float:
    """Millimetres per unit of the header's lengths: one for all axes."""
    if "(" in fields.get("space directions", ""):
        names = re.findall(r'"([^"]*)"', fields.get("space units", ""))
    else:
        names = re.findall(r'"([^"]*)"', fields.get("units", ""))
        names = [names[axis] for axis in space] if len(names) > max(space) else names
    found = {UNITS.get(one.strip().lower()) for one in names} or {1.0}
    unit = found.pop()
    if found or unit is None:
        raise InputError(f"{name}: its units of length are {', '.join(names)}; save it in mm")
    return unit


def _stored(path: Path, fields: Mapping[str, str], after: int, shape: tuple[int, ...]) -> Stored:
    name = str(path)
    kind = KINDS.get(fields.get("type", "").lower())
    if kind is None:
        raise damaged_header(name, "type")
    packing = PACKINGS.get(fields.get("encoding", "").lower())
    if packing is None:
        raise damaged_header(name, "encoding")
    orders = {"little": "<", "big": ">"}
    order = orders.get(fields.get("endian", "").lower())
    if order is None:
        if kind[1] != "1" and packing != "text":
            raise damaged_header(name, "endian")
        order = "<"
    where, offset = path, after
    if "data file" in fields:
        listed = fields["data file"]
        if listed.upper().startswith("LIST") or "%" in listed:
            raise InputError(f"{name}: its data lie in several files; save it as one .nrrd")
        where, offset = beside(path, listed), 0
    skipped = [
        int(numbers(name, key, fields.get(key, "0"), 1)[0]) for key in ("line skip", "byte skip")
    ]
    if skipped == [0, -1] and packing == "raw":
        return Stored(where, None, packing, np.dtype(order + kind), shape)
    if min(skipped) < 0 or (any(skipped) and packing != "raw"):
        raise damaged_header(name, "byte skip")
    offset = _after_lines(where, offset, skipped[0]) + skipped[1]
    return Stored(where, offset, packing, np.dtype(order + kind), shape)


def _after_lines(path: Path, offset: int, count: int) -> int:
    """Where a file goes on after so many lines."""
    if not count:
        return offset
    with path.open("rb") as file:
        file.seek(offset)
        start = file.read(LONGEST_HEADER)
    ends = [match.end() for match in re.finditer(rb"\n", start)][:count]
    if len(ends) < count:
        raise damaged_header(str(path), "line skip")
    return offset + ends[-1]
