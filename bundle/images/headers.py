"""What NRRD and MetaImage headers leave unsaid: ITK fills it in without a word."""

from __future__ import annotations

from pathlib import Path

from bundle.errors import Remark

NO_SIZE = Remark(
    "spacing_missing", "does not say how large its voxels are: 1 mm is assumed; set its spacing"
)
NO_ORIENTATION = Remark(
    "orientation_missing", "says nothing of its orientation: left and right are a guess; set it"
)


def header_remarks(path: Path) -> list[Remark]:
    """What is missing in the header of a ``.nrrd``, ``.mha`` or ``.mhd`` file."""
    if path.name.lower().endswith(".nrrd"):
        fields = _fields(path, ":", "")
        if "(" not in fields.get("space directions", ""):  # none of its axes is one of space
            fields.pop("space directions", None)
        sized, oriented = {"space directions", "spacings"}, {"space directions"}
    else:
        fields = _fields(path, "=", "ElementDataFile")
        sized = {"elementspacing", "elementsize"}
        oriented = {"transformmatrix", "rotation", "orientation"}
    needed = ((sized, NO_SIZE), (oriented, NO_ORIENTATION))
    return [remark for names, remark in needed if not names & set(fields)]


def _fields(path: Path, separator: str, last: str) -> dict[str, str]:
    """Names, in lower case, and values of a text header, whose last line has the given name."""
    found = {}
    with path.open("rb") as file:
        for line in file:
            name, there, value = line.decode("latin-1").partition(separator)
            if there:
                found[name.strip().lower()] = value.strip()
            if name.strip() == last:
                break
    return found
