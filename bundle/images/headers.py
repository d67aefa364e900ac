"""Read NRRD and MetaImage files; ITK fills in without a word what their headers leave unsaid."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError, Remark
from bundle.images.grid import STATE, require_plausible

NO_ORIENTATION = Remark(
    "orientation_missing", "says nothing of its orientation: left and right are a guess; set it"
)

UNITS = {"": 1.0, "mm": 1.0, "millimeter": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "μm": 0.001}
"""Millimetres per unit of length, as NRRD names it."""

LONGEST_HEADER = 2**20
"""Bytes at the start of a file in which its header ends."""


def read_with_header(
    path: Path, spacing: Sequence[float] | None = None
) -> tuple[sitk.Image, list[Remark]]:
    """Read a ``.nrrd``, ``.mha`` or ``.mhd`` file.

    Args:
        path: the file.
        spacing: mm along the first three axes; counts where the header says no voxel size.

    Returns:
        the image, of as many axes as the file has, and what its header lacks.

    Raises:
        InputError: it cannot be read, says no voxel size, or is far from a head's size.
    """
    try:
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        found = [float(step) for step in reader.GetSpacing()]
        fields = _header(path)
        factor, remarks = _what_is_unsaid(path, fields, spacing)
        found[:3] = spacing[: len(found)] if factor is None and spacing else found[:3]
        scaled = [step * (factor or 1.0) for step in found]
        require_plausible(str(path), _three(reader.GetSize()), _three(scaled))
        _require_length(path, reader, fields)
        image = reader.Execute()
        image.SetSpacing(scaled)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{path}: cannot be read; export it anew ({reason})") from error
    if factor is not None:
        image.SetOrigin([place * factor for place in image.GetOrigin()])
    return image, remarks


def _three(values: Sequence[float]) -> list:
    return [*values, 1, 1][:3]


def _require_length(path: Path, reader: sitk.ImageFileReader, fields: Mapping[str, str]) -> None:
    """ITK allocates what the header claims before it looks for the data."""
    kinds = {"8": 1, "16": 2, "32": 4, "64": 8}
    bits = re.search(r"\d+", sitk.GetPixelIDValueAsString(reader.GetPixelID()))
    size = np.prod(np.array(reader.GetSize(), dtype=np.float64)) * reader.GetNumberOfComponents()
    size *= kinds.get(bits.group() if bits else "", 1)
    if path.name.lower().endswith(".mhd"):  # its data are in another file
        return
    raw = fields.get("encoding") == "raw" or fields.get("compresseddata", "").lower() == "false"
    if size > (1 if raw else 1040) * path.stat().st_size:  # deflate packs 1032 to 1
        raise InputError(f"{path}: is damaged or cut short; copy or export it anew")


def _header(path: Path) -> dict[str, str]:
    """What the header says, without what says nothing."""
    if not path.name.lower().endswith(".nrrd"):
        return _fields(path, "=", "ElementDataFile")
    fields = _fields(path, ":", "")
    if "(" not in fields.get("space directions", ""):  # none of its axes is one of space
        fields.pop("space directions", None)
    return fields


def _what_is_unsaid(
    path: Path, fields: Mapping[str, str], spacing: Sequence[float] | None
) -> tuple[float | None, list[Remark]]:
    """Millimetres per unit of the header, None where it says no voxel size; and remarks."""
    sized, oriented = {"space directions", "spacings"}, {"space directions"}
    if not path.name.lower().endswith(".nrrd"):
        sized = {"elementspacing", "elementsize"}
        oriented = {"transformmatrix", "rotation", "orientation"}
    remarks = [] if oriented & set(fields) else [NO_ORIENTATION]
    if sized & set(fields):
        return _unit(path, fields), remarks
    if spacing is None:
        raise InputError(f"{path}: does not say how large its voxels are; {STATE}")
    return None, remarks


def _unit(path: Path, fields: Mapping[str, str]) -> float:
    """One unit for all axes: ITK ignores what an NRRD says of it."""
    key = "space units" if "space directions" in fields else "units"
    names = re.findall(r'"([^"]*)"', fields.get(key, ""))[:3]
    found = {UNITS.get(name.strip().lower()) for name in names} or {1.0}
    unit = found.pop()
    if found or unit is None:
        raise InputError(f"{path}: its units of length are {', '.join(names)}; save it in mm")
    return unit


def _fields(path: Path, separator: str, last: str) -> dict[str, str]:
    """Names, in lower case, and values of a text header, whose last line has the given name."""
    found = {}
    with path.open("rb") as file:
        for line in file.read(LONGEST_HEADER).splitlines():
            name, there, value = line.decode("utf-8", "replace").partition(separator)
            if there:
                found[name.strip().lower()] = value.strip()
            if name.strip() == last:
                break
    return found
