"""Read MetaImage files (``.mha``, ``.mhd``), every field of which is looked at before it is used.

ITK's own reader takes what a header leaves unsaid to be 1 mm and upright, ignores units, and
allocates what the header claims. The fields: https://docs.itk.org, "MetaIO/Documentation".
"""

from __future__ import annotations

from collections.abc import Sequence
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

SUFFIXES = (".mha", ".mhd")

KINDS = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
"""NumPy's types by those of ElementType."""

NAMES = {
    "position": "offset", "origin": "offset", "rotation": "transformmatrix",
    "orientation": "transformmatrix", "elementbyteordermsb": "binarydatabyteordermsb",
}  # fmt: skip
"""Other names of fields."""

UNIT = 0.02
"""By which the squared length of a direction may differ from 1."""


def read_metaimage(
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
    count = lengths(name, "NDims", fields.get("ndims", ""), 1)[0]
    if count not in (3, 4):
        raise InputError(f"{name}: has {count} axes; extract one scalar 3D volume first")
    shape = lengths(name, "DimSize", fields.get("dimsize", ""), count)
    affine, remarks = _affine(name, fields, count, spacing)
    require_plausible(name, shape[:3], np.linalg.norm(affine[:3, :3], axis=0))
    frame = choose(shape[3]) if count == 4 else None
    values = stored_values(_stored(path, fields, after, shape))
    return (values if frame is None else picked(values, frame)), affine, remarks


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The fields, by their names in lower case, and where the header ends."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        start = file.read(LONGEST_HEADER)
    place = 0
    while place < len(start):
        end = start.find(b"\n", place)
        end = len(start) if end < 0 else end
        key, there, value = start[place:end].decode("utf-8", "replace").partition("=")
        place = end + 1
        key = key.strip().lower()
        key = NAMES.get(key, key)
        if there and fields.setdefault(key, value.strip()) != value.strip():
            raise InputError(f"{path}: its header says two things of {key!r}; correct it")
        if there and key == "elementdatafile":
            return fields, place
    raise InputError(
        f"{path}: is not what its suffix says, or its header is damaged; export it anew"
    )


def _affine(
    name: str, fields: dict[str, str], count: int, spacing: Sequence[float] | None
) -> tuple[np.ndarray, list[Remark]]:
    """From voxels to millimetres, LPS, and what is not said."""
    unit = UNITS.get(fields.get("distanceunits", "").lower())
    if unit is None:
        raise InputError(
            f"{name}: its units of length are {fields['distanceunits']}; save it in mm"
        )
    sized = next((key for key in ("elementspacing", "elementsize") if key in fields), None)
    sizes = unit * numbers(name, sized, fields[sized], count)[:3] if sized else None
    affine, remarks = np.eye(4), []
    if "transformmatrix" in fields:
        stated = numbers(name, "TransformMatrix", fields["transformmatrix"], count**2)
        matrix = stated.reshape(count, count).T
        if np.abs(np.diag(matrix.T @ matrix) - 1).max() > UNIT:
            raise InputError(
                f"{name}: the axes of its voxels are not perpendicular or not of "
                "length 1 (TransformMatrix); resample it to a straight grid"
            )
        if count == 4 and not np.allclose(matrix[3, :3], 0) & np.allclose(matrix[:3, 3], 0):
            raise damaged_header(name, "TransformMatrix")
        affine[:3, :3] = matrix[:3, :3]
    else:
        remarks.append(NO_ORIENTATION)
    affine[:3, :3] *= sizes_or_stated(name, sizes, spacing)
    if "offset" in fields:
        affine[:3, 3] = unit * numbers(name, "Offset", fields["offset"], count)[:3]
    else:
        remarks.append(NO_PLACE)
    return affine, remarks


def _stored(path: Path, fields: dict[str, str], after: int, shape: tuple[int, ...]) -> Stored:
    name, listed = str(path), fields["elementdatafile"]
    if fields.get("elementnumberofchannels", "1") != "1":
        raise InputError(f"{name}: holds several values per voxel; extract one scalar volume first")
    kind = KINDS.get(fields.get("elementtype", "").upper())
    if kind is None:
        raise InputError(
            f"{name}: holds elements of type {fields.get('elementtype', 'unknown')}; save it as "
            "numbers, such as MET_SHORT"
        )
    written = _said(name, fields, "binarydata", True)
    packed = _said(name, fields, "compresseddata", False)
    order = ">" if _said(name, fields, "binarydatabyteordermsb", False) else "<"
    packing = "zlib" if packed else "raw" if written else "text"
    if listed.upper() == "LOCAL":
        return Stored(path, after, packing, np.dtype(order + kind), shape)
    if listed.upper().startswith("LIST") or "%" in listed or not listed:
        raise InputError(f"{name}: its data lie in several files; save it as one .mha")
    skipped = numbers(name, "HeaderSize", fields.get("headersize", "0"), 1)[0]
    if skipped < -1 or skipped % 1:
        raise damaged_header(name, "HeaderSize")
    offset = None if skipped == -1 else int(skipped)
    return Stored(beside(path, listed), offset, packing, np.dtype(order + kind), shape)


def _said(name: str, fields: dict[str, str], key: str, default: bool) -> bool:
    """A field that is true or false."""
    value = fields.get(key, str(default)).lower()
    if value not in ("true", "false", "1", "0"):
        raise damaged_header(name, key)
    return value in ("true", "1")
