"""NIfTI files of which some fields, bytes or parts are wrong."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np

from tests.images.mutated import HEAD, T1, Case

IGNORED = ("data_type", "db_name", "descrip", "aux_file", "intent_name")
PLACES = ("qoffset", "quatern", "pixdim")
VALUES = ("scl_slope", "scl_inter", "datatype")


class NiftiFiles:
    """A T1 of the phantom as NIfTI-1 and -2, in both byte orders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._whole = []
        for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
            image = kind(T1, HEAD.affine)
            image.set_sform(HEAD.affine, 1)
            image.set_qform(HEAD.affine, 1)
            image.header.set_xyzt_units("mm")
            for order in "<>":
                header = image.header.as_byteswapped(order)
                self._whole.append(type(image)(T1, None, header).to_bytes())

    def changed(self, rng: np.random.Generator) -> Case:
        """One of the files, wrong."""
        which = rng.choice(4, p=(0.7, 0.1, 0.1, 0.1))
        raw = self._whole[which]
        size = 348 if which < 2 else 540
        packed = rng.random() < 0.1
        path = self._folder / ("head.nii.gz" if packed else "head.nii")
        way = rng.random()
        if way < 0.15:
            raw, change = _with_bytes(rng, raw, size), "bytes"
        elif way < 0.2:
            raw, change = _of_another_length(rng, raw, size)
        else:
            raw, change = _with_fields(rng, raw, size, "<>"[which % 2])
        said = [_fields(one, size, "<>"[which % 2]) for one in (raw, self._whole[which])]
        other_values = any(said[0][name] != said[1][name] for name in VALUES)
        if packed:
            raw = gzip.compress(raw, 1)
            if rng.random() < 0.5:
                raw, more = _of_another_length(rng, raw, 20)
                change += f", then packed {more}"
        path.write_bytes(raw)
        only_qform = "sform_code" in change and any(part in change for part in PLACES)
        return Case(path, f"{which} {change}", T1, HEAD.affine, only_qform or other_values)


def _fields(raw: bytes, size: int, order: str) -> np.ndarray:
    kind = nibabel.Nifti1Header if size == 348 else nibabel.Nifti2Header
    return kind(raw[:size], order, check=False).structarr


def _with_bytes(rng: np.random.Generator, whole: bytes, size: int) -> bytes:
    raw = bytearray(whole)
    for place in rng.integers(0, size + 4, rng.integers(1, 4)):
        raw[place] = rng.integers(256)
    return bytes(raw)


def _of_another_length(rng: np.random.Generator, whole: bytes, least: int) -> tuple[bytes, str]:
    place = int(rng.integers(least, len(whole)))
    ways = {
        "cut short": whole[:place],
        "with more": whole + bytes(rng.integers(1, 5000)),
        "with a gap": whole[:place] + whole[place + 7 :],
        "with a byte": whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :],
    }
    names = list(ways)[: 4 if least == 20 else 3]  # a wrong value among values cannot be told
    name = names[rng.integers(len(names))]
    return ways[name], f"{name} at {place}"


def _with_fields(
    rng: np.random.Generator, whole: bytes, size: int, order: str
) -> tuple[bytes, str]:
    header = _fields(whole, size, order)
    names = [name for name in header.dtype.names if name not in IGNORED]
    chosen = rng.choice(names, rng.integers(1, 4), replace=False)
    for name in chosen:
        field = np.atleast_1d(header[name])
        place = rng.integers(field.size)
        if field.dtype.kind == "f":
            old = field.flat[place]
            choice = (0, -old, old * 1.001, old * 10, old / 1000, np.nan, np.inf, 1e30, -1, 1, 7.5)
        elif field.dtype.kind == "S":
            choice = (b"", b"ni1", b"n+1", b"n+2", b"xyz")
        else:
            low, high = np.iinfo(field.dtype).min, np.iinfo(field.dtype).max
            choice = (0, 1, 2, 3, 4, 5, 7, 8, 16, 64, 79, 128, 512, low, high)
            choice = [min(one, high) for one in (*choice, int(rng.integers(low, high)))]
        field.flat[place] = choice[rng.integers(len(choice))]
        header[name] = field.reshape(header[name].shape)
    return header.tobytes() + whole[size:], "+".join(map(str, chosen))
