"""Read a transform of ITK from its file."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import SimpleITK as sitk

from bundle.errors import InputError

TEXT = b"#Insight Transform File"
"""How a text file of ITK begins."""

NUMBERS = {
    "TranslationTransform": 3, "ScaleTransform": 3, "VersorTransform": 3, "Euler3DTransform": 6,
    "ScaleLogarithmicTransform": 3,
    "VersorRigid3DTransform": 6, "Similarity3DTransform": 7, "ScaleVersor3DTransform": 9,
    "ScaleSkewVersor3DTransform": 15, "AffineTransform": 12, "MatrixOffsetTransformBase": 12,
}  # fmt: skip
"""Parameters of ITK's linear transforms in 3D."""

CENTRE = 3
"""Fixed parameters that they have at least; newer versions of ITK write more of some."""

WITHOUT_CENTRE = ("TranslationTransform",)

HDF5 = (".h5", ".hdf5", ".hdf")
"""Endings of the files that ITK reads by HDF5."""

_alone = threading.Lock()


def read_transform(path: Path, dimension: int, wanted: str) -> sitk.Transform:
    """Read a transform of ITK, or a displacement field in a NIfTI file.

    Args:
        path: of the file.
        dimension: 3 of volumes, 2 of pictures.
        wanted: which file to name instead, for messages.

    Returns:
        from fixed to moving points; of volumes mm, LPS, of pictures pixels.

    Raises:
        InputError: the file is neither of the two, or of the other dimension.
    """
    try:
        if path.name.endswith((".nii", ".nii.gz")):
            field = sitk.ReadImage(str(path), sitk.sitkVectorFloat64)
            transform: sitk.Transform = sitk.DisplacementFieldTransform(field)
        else:
            transform = read_itk_transform(path)
    except RuntimeError as error:
        raise InputError(f"{path}: no transform; name the {wanted}") from error
    if transform.GetDimension() != dimension:
        kind = "picture" if dimension == 3 else "volume"
        raise InputError(f"{path}: is that of a {kind}; name the {wanted}")
    return transform


def read_itk_transform(path: Path) -> sitk.Transform:
    """Read a transform of ITK: text, Matlab's or HDF5.

    Args:
        path: of the file.

    Raises:
        InputError: the file is damaged or cut short.
        RuntimeError: it is no such transform.
    """
    if not is_whole(path):
        raise InputError(f"{path}: is damaged or cut short; save it anew")
    if path.suffix.lower() not in HDF5:
        return sitk.ReadTransform(str(path))
    with _alone, _silent():  # stderr is the whole process's
        return sitk.ReadTransform(str(path))


@contextmanager
def _silent() -> Iterator[None]:
    """Let the whole process write nothing to stderr: HDF5 prints its calls of a damaged file."""
    try:
        stderr = os.dup(2)
    except OSError:  # there is none
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def is_whole(path: Path) -> bool:
    """Whether a text file has all numbers of its linear transforms in 3D, each of them finite.

    It has to be known before ITK reads the file, which would write beyond its memory.

    Args:
        path: a file of ITK of any kind; others than texts pass.
    """
    with path.open("rb") as file:
        if file.read(len(TEXT)) != TEXT:
            return True
        lines = [line.decode("ascii", "replace").partition(":") for line in file]
    found: list[tuple[str, dict[str, int]]] = []
    for key, _, value in lines:
        if key == "Transform":
            found.append((value.strip(), {}))
        elif found:
            found[-1][1][key] = _numbers(value)
    return all(_has_all(name, counts) for name, counts in found)


def _numbers(words: str) -> int:
    """How many finite numbers a line has; -1 if a word of it is none: ITK stops there."""
    try:
        numbers = [float(word) for word in words.split()]
    except ValueError:
        return -1
    return len(numbers) if all(map(math.isfinite, numbers)) else -1


def _has_all(name: str, counts: Mapping[str, int]) -> bool:
    """Whether a transform, such as Euler3DTransform_double_3_3, has so many numbers as it needs."""
    kind, _, others = name.partition("_")
    if kind not in NUMBERS or not others.endswith("_3_3"):
        return True
    centre = 0 if kind in WITHOUT_CENTRE else CENTRE
    return counts.get("Parameters") == NUMBERS[kind] and counts.get("FixedParameters", 0) >= centre
