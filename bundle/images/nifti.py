"""Read NIfTI files by their header, every field of which is looked at before it is used.

Readers differ where a header is odd: ITK, nibabel and niftilib place the same file millimetres
apart. So the header is read raw, what it says twice has to agree, and what it lacks is asked for.
The fields: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError

from bundle.errors import InputError, Remark
from bundle.images.frames import Choose, picked
from bundle.images.grid import require_plausible
from bundle.images.nifti_forms import affine_of
from bundle.images.stored import TIGHTEST, blocks, content, damaged, too_long

SUFFIXES = (".nii", ".nii.gz")

KINDS = {348: (Nifti1Header, b"n+1\0", 344), 540: (Nifti2Header, b"n+2\0", 4)}
"""By the size of the header: its class, its magic and where that stands."""

TIME = {8: "sec", 16: "msec", 24: "usec"}
"""Units of time by their code."""

BEFORE = 4
"""Bytes between header and data at least, which say whether there are extensions."""


def read_nifti(
    path: Path,
    choose: Choose,
    spacing: Sequence[float] | None = None,
) -> tuple[np.ndarray, np.ndarray, list[Remark]]:
    """Read one scalar volume.

    Args:
        path: the file, compressed or not.
        choose: which frame is wanted; called if the file is 4D.
        spacing: mm, counts where the header says no voxel size.

    Returns:
        the values (X, Y, Z), scaled as the header says; the affine (4, 4) from voxels to mm, LPS;
        what was odd.

    Raises:
        InputError: the file is damaged, no NIfTI file, no scalar volume, or its header contradicts
            itself.
    """
    opened = _open(path, spacing)
    whole = _bytes(path, opened.offset + opened.size + 1)
    if len(whole) < opened.offset + opened.size:
        raise damaged(path)
    if len(whole) > opened.offset + opened.size:
        raise too_long(path)
    values = np.frombuffer(whole, opened.kind, offset=opened.offset)
    values = values.reshape(opened.shape, order="F")
    if len(opened.shape) == 4:
        values = picked(values, choose(opened.shape[3]))
    return _scaled(str(path), opened.header, values), opened.affine, opened.remarks


def each_nifti_frame(
    path: Path, spacing: Sequence[float] | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read the frames of a 4D file one by one, as they lie in it.

    Args:
        path: the file, compressed or not; :func:`read_nifti` has read it.
        spacing: mm, counts where the header says no voxel size.

    Yields:
        values and affine of each frame as of :func:`read_nifti`.

    Raises:
        InputError: the file is damaged.
    """
    opened = _open(path, spacing)
    length = opened.size // opened.shape[3]
    for block in blocks(path, opened.offset, length, opened.shape[3], _packing(path)):
        values = np.frombuffer(block, opened.kind).reshape(opened.shape[:3], order="F")
        yield _scaled(str(path), opened.header, values), opened.affine


def time_of(path: Path) -> tuple[float, str]:
    """Step and unit of the time axis of a 4D file, as its header says them."""
    header = _open(path, (1.0, 1.0, 1.0)).header
    unit = TIME.get(int(header["xyzt_units"]) & 56, "unknown")
    return float(header["pixdim"][4]), unit


def frames_in(path: Path) -> int:
    """How many frames a file says it has; 1 where it cannot be read."""
    try:
        shape = _shape(str(path), _header(str(path), bytes(_bytes(path, 544))))
    except InputError:
        return 1
    return shape[3] if len(shape) == 4 else 1


@dataclass(frozen=True)
class _Opened:
    """What a file says of its data.

    Attributes:
        header: as it stands in the file.
        shape: three axes or four.
        affine: (4, 4), voxels to mm, LPS.
        kind: type of each number.
        offset: of the first one, unpacked.
        remarks: what was odd.
    """

    header: Any
    shape: tuple[int, ...]
    affine: np.ndarray
    kind: np.dtype
    offset: int
    remarks: list[Remark]

    @property
    def size(self) -> int:
        """Bytes of the numbers."""
        return _size(self.shape, self.kind)


def _open(path: Path, spacing: Sequence[float] | None) -> _Opened:
    name = str(path)
    header = _header(name, bytes(_bytes(path, 544)))
    shape = _shape(name, header)
    affine, remarks = affine_of(name, header, spacing)
    require_plausible(name, shape[:3], np.linalg.norm(affine[:3, :3], axis=0))
    kind = _kind(name, header)
    offset, noticed = _offset(path, header, _size(shape, kind))
    return _Opened(header, shape, affine, kind, offset, [*remarks, *noticed])


def _size(shape: Sequence[int], kind: np.dtype) -> int:
    return int(np.prod(shape, dtype=object)) * kind.itemsize


def _header(name: str, start: bytes) -> Any:
    """The header as it stands in the file; nibabel would correct it in silence."""
    for order in ("<", ">"):
        size = int(np.frombuffer(start[:4].ljust(4, b"\0"), f"{order}i4")[0])
        kind, magic, place = KINDS.get(size, (None, b"", 0))
        if kind is not None and len(start) >= size and start[place : place + 4] == magic:
            header = kind(start[:size], order, check=False)
            if 1 <= header["dim"][0] <= 7:
                return header
    raise InputError(
        f"{name}: is not what its suffix says, or its header is damaged; export it anew"
    )


def _shape(name: str, header: Any) -> tuple[int, ...]:
    """Three axes, or four of which the last one counts frames."""
    count = int(header["dim"][0])
    shape = [int(length) for length in header["dim"][1 : count + 1]]
    if min(shape) < 1:
        raise InputError(f"{name}: its header gives an axis of {min(shape)} voxels; export it anew")
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    shape += [1] * (3 - len(shape))
    if len(shape) > 4:
        raise InputError(
            f"{name}: has {' x '.join(map(str, shape))} values; extract one scalar 3D volume first"
        )
    return tuple(shape)


def _kind(name: str, header: Any) -> np.dtype:
    """Type of the stored values."""
    try:
        kind = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        raise InputError(f"{name}: has an unknown datatype; export it anew") from error
    if kind.fields is not None:
        raise InputError(f"{name}: holds several values per voxel; extract one scalar volume first")
    if kind.kind == "c":
        raise InputError(f"{name}: holds complex numbers; export its magnitude")
    if kind.itemsize == 0 or int(header["bitpix"]) != 8 * kind.itemsize:
        raise InputError(f"{name}: its datatype and its bitpix contradict each other; correct it")
    return kind


def _offset(path: Path, header: Any, size: int) -> tuple[int, list[Remark]]:
    """Where the data begin; where the header says what cannot be, the length tells."""
    stated = float(header["vox_offset"])
    least = int(header["sizeof_hdr"]) + BEFORE
    length = path.stat().st_size
    most = length * TIGHTEST[_packing(path)]
    if not size <= most:
        raise damaged(path)
    if least <= stated <= most and stated == int(stated):
        return int(stated), []
    if 0 <= stated < least:
        begin = len(_bytes(path, least + size + 1)) - size
        if begin in (least - BEFORE, least):
            text = f"data offset {stated:.0f} is not possible: the data are read from byte {begin}"
            return begin, [Remark("data_offset", text, warning=False)]
    raise InputError(
        f"{path}: its data cannot begin where its header says (vox_offset {stated:g}); export it "
        "anew"
    )


def _bytes(path: Path, count: int) -> bytearray:
    """The first bytes of a file, or of what it holds compressed; fewer if it ends before."""
    packing = _packing(path)
    if packing == "gzip" and content(path, 0, 2, "raw") != b"\x1f\x8b":
        raise InputError(f"{path}: is not what its suffix says; export it anew")
    return content(path, 0, count, packing)


def _packing(path: Path) -> str:
    return "gzip" if path.name.lower().endswith(".gz") else "raw"


def _scaled(name: str, header: Any, values: np.ndarray) -> np.ndarray:
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or np.isnan(slope):  # not to be scaled, says the standard; NaN is a custom
        return values
    if not np.isfinite([slope, inter]).all():
        raise InputError(
            f"{name}: scales its values by what is no number (scl_slope, scl_inter); correct it"
        )
    scaled = np.empty(values.shape, np.float32, order="F")
    for k in range(values.shape[-1]):  # slice by slice: no second volume in double precision
        scaled[..., k] = values[..., k] * slope + inter
    return scaled
