"""Read volumes of Analyze 7.5: a header ``.hdr`` and its numbers ``.img``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from nibabel.spatialimages import HeaderDataError
from nibabel.spm2analyze import Spm2AnalyzeHeader

from bundle.errors import InputError, Remark
from bundle.images.frames import Frame, picked
from bundle.images.grid import STATE, require_plausible
from bundle.images.stored import Stored, stored_values

SUFFIXES = (".hdr", ".img")

LENGTH = 348
"""Bytes of a header."""

ORIENT = 252
"""Byte of the header that says how slices lie; 0: axial, from right to left."""

PAIR = b"ni1\0"
"""At the end of a header: it is NIfTI's."""

GUESSED = Remark(
    "orientation_missing",
    "Analyze does not say reliably which side is left: its columns are taken to run from right to "
    "left, its rows to the front and its slices to the top; look, or give a NIfTI file",
)


def read_analyze(
    path: Path, choose: Callable[[int], Frame], spacing: Sequence[float] | None = None
) -> tuple[np.ndarray, np.ndarray, list[Remark]]:
    """Read one scalar volume.

    Args:
        path: either of the two files.
        choose: which frame is meant of how many.
        spacing: mm along the axes; counts where the header does not say it.

    Returns:
        values (X, Y, Z), affine (4, 4) from voxels to mm in LPS with the middle at 0, and that
        the orientation is a guess.

    Raises:
        InputError: a file is missing, damaged or too long, holds something else, or does not say
            the size of its voxels.
    """
    name = str(path)
    start, header = _header(path)
    if start[ORIENT] != 0:
        raise InputError(
            f"{name}: its orient says slices that are not axial or turned ({start[ORIENT]}); "
            "convert it to NIfTI"
        )
    shape, kind = _shape(name, header), _kind(name, header)
    sizes = np.array(header["pixdim"][1:4], dtype=float)
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        if spacing is None:
            raise InputError(f"{name}: its pixdim says no voxel size; {STATE}")
        sizes = np.array(spacing, dtype=float)
    require_plausible(name, shape[:3], sizes.tolist())
    offset = float(header["vox_offset"])
    begin = int(offset) if np.isfinite(offset) and offset > 0 else 0
    values = stored_values(Stored(_other(path, ".img"), begin, "raw", kind, shape))
    if len(shape) == 4:
        values = picked(values, choose(shape[3]))
    slope = float(header["scl_slope"])  # SPM's; others leave it 0
    if np.isfinite(slope) and slope not in (0.0, 1.0):
        values = values * slope
    affine = np.diag([*(sizes * [1, -1, 1]), 1.0])  # LPS: left, and from back to front
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape[:3]) - 1) / 2)
    return values, affine, [GUESSED]


def _header(path: Path) -> tuple[bytes, Spm2AnalyzeHeader]:
    """The header's bytes, and what they say."""
    found = _other(path, ".hdr")
    with found.open("rb") as file:
        start = file.read(LENGTH)
    if start[-4:] == PAIR:
        raise InputError(f"{path}: is a NIfTI pair; convert the two files to one .nii")
    for order in ("<", ">"):
        if len(start) == LENGTH and int(np.frombuffer(start[:4], f"{order}i4")[0]) == LENGTH:
            return start, Spm2AnalyzeHeader(start, order, check=False)
    raise InputError(f"{found}: is no header of Analyze, or damaged; export it anew")


def _other(path: Path, suffix: str) -> Path:
    """The file of the pair with this suffix, in the case of letters of the one that is named."""
    own = path.suffix
    found = path.with_suffix(suffix.upper() if own.isupper() else suffix)
    if not found.is_file():
        raise InputError(f"{found}: no such file; an Analyze volume is a .hdr and an .img file")
    return found


def _shape(name: str, header: Spm2AnalyzeHeader) -> tuple[int, ...]:
    count = int(header["dim"][0])
    shape = [int(length) for length in header["dim"][1 : max(count, 0) + 1]]
    while len(shape) > 3 and shape[-1] <= 1:
        shape.pop()
    if len(shape) not in (3, 4) or min(shape) < 1:
        raise InputError(f"{name}: is no volume of three axes ({count}); export one scalar volume")
    return tuple(shape)


def _kind(name: str, header: Spm2AnalyzeHeader) -> np.dtype:
    try:
        kind = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        raise InputError(f"{name}: has an unknown datatype; export it anew") from error
    if kind.fields is not None or kind.kind == "c" or kind.itemsize == 0:
        raise InputError(f"{name}: holds colours or complex numbers; export one scalar volume")
    return kind
