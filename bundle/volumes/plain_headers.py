"""What NRRD and MetaImage headers leave unsaid: ITK fills it in without a word."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from bundle.errors import InputError

LONGEST = 64 * 1024
"""Bytes of a file in which its header is looked for."""

SQUARE = 1e-3
"""Largest cosine between two axes of voxels that are let pass as perpendicular."""

NO_SIZE = "does not say how large its voxels are: 1 mm is assumed; set its spacing"
NO_ORIENTATION = "says nothing of its orientation: left and right are a guess; set it"


def header_notes(path: Path) -> list[str]:
    """What is missing in the header of a ``.nrrd``, ``.mha`` or ``.mhd`` file, a sentence each.

    Raises:
        InputError: the axes of the voxels are not perpendicular, which ITK would straighten.
    """
    fields = _fields(path)
    if path.name.lower().endswith(".nrrd"):
        directions = fields.get("space directions")
        if directions is not None:
            _require_square(path, directions)
        sized, oriented = {"space directions", "spacings"}, {"space directions"}
    else:
        sized = {"elementspacing", "elementsize"}
        oriented = {"transformmatrix", "rotation", "orientation"}
    needed = ((sized, NO_SIZE), (oriented, NO_ORIENTATION))
    return [text for names, text in needed if not names & set(fields)]


def _fields(path: Path) -> dict[str, str]:
    """Names, in lower case, and values of a text header."""
    with path.open("rb") as file:
        text = file.read(LONGEST).decode("latin-1")
    text = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]  # NRRD's data follow an empty line
    found = {}
    for line in text.splitlines():
        name, separator, value = line.partition(":" if path.suffix.lower() == ".nrrd" else "=")
        if separator:
            found[name.strip().lower()] = value.strip()
        if name.strip() == "ElementDataFile":  # MetaImage's last
            break
    return found


def _require_square(path: Path, directions: str) -> None:
    vectors = re.findall(r"\(([^)]*)\)", directions)
    axes = np.array([[float(value) for value in vector.split(",")] for vector in vectors])
    axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    if np.abs(axes @ axes.T - np.eye(len(axes))).max() > SQUARE:
        raise InputError(
            f"{path}: the axes of its voxels are not perpendicular; resample it to a grid that is "
            "straight"
        )
