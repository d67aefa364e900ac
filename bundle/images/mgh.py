"""Read volumes of FreeSurfer: ``.mgh`` and, compressed, ``.mgz``."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from nibabel.freesurfer import MGHImage

from bundle.errors import InputError, Remark
from bundle.images.frames import Frame, picked
from bundle.images.grid import require_plausible
from bundle.images.stored import TIGHTEST, damaged, length_of

SUFFIXES = (".mgh", ".mgz")

VERSION = b"\0\0\0\1"
"""The first bytes of a file."""

PLACED = 28
"""Byte of the header at which it says whether its directions hold: 1 in two bytes."""

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_mgh(
    path: Path, choose: Callable[[int], Frame], spacing: Sequence[float] | None = None
) -> tuple[np.ndarray, np.ndarray, list[Remark]]:
    """Read one scalar volume.

    Args:
        path: the file.
        choose: which frame is meant of how many.
        spacing: not needed: where directions are missing, so is the order of the axes.

    Returns:
        values (X, Y, Z), affine (4, 4) from voxels to mm in LPS, and nothing that was odd.

    Raises:
        InputError: the file is damaged, or does not say how it lies.
    """
    try:
        opened = gzip.open if path.name.lower().endswith("z") else open
        with opened(path, "rb") as file:
            start = file.read(PLACED + 2)
        if start[:4] != VERSION:  # nibabel would tell it on stderr
            raise damaged(path)
        image = MGHImage.from_filename(path)
        affine = LPS @ image.affine
        require_plausible(str(path), image.shape[:3], image.header.get_zooms()[:3])
        size = math.prod(image.shape) * image.get_data_dtype().itemsize
        if size > TIGHTEST["gzip" if opened is gzip.open else "raw"] * length_of(path):
            raise damaged(path)
        placed = int.from_bytes(start[PLACED:], "big") == 1
        values = np.asarray(image.dataobj) if placed else None
    except InputError:
        raise
    except Exception as error:  # of any type: nibabel has no common one for damaged files
        raise damaged(path) from error
    if values is None:
        raise InputError(
            f"{path}: does not say where it lies (goodRASFlag); write it anew with mri_convert and "
            "the right --in_orientation"
        )
    if values.ndim == 4:
        values = picked(values, choose(values.shape[3]))
    return values, affine, []
