"""Volumes and transforms in small files.

zlib-ng at level 4 takes a third of the time of ITK's own compression and makes smaller files
(measured on rounded volumes of 256 x 256 x 258 voxels).
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import SimpleITK as sitk
from zlib_ng.gzip_ng import GzipNGFile

from bundle.images.nifti_write import affine_of, nifti_header

LEVEL = 4
"""Of the compression, 1 to 9."""

CHUNK = 1 << 20
"""Bytes that are compressed at once."""

SMALL = 1000
"""Numbers that are not worth compressing."""

DIGITS = 11
"""Binary digits that a value keeps, as many as half precision has: an error below 0.05 %."""

STEPS = 2**16 - 2
"""Of 16-bit integers from the lowest to the highest value."""


def few_digits(volume: sitk.Image, step: float) -> sitk.Image:
    """Round values: what lies below their accuracy is noise that no compression makes smaller.

    Args:
        volume: scalar.
        step: values become multiples of it; above ``2 ** DIGITS`` steps, of as much as leaves them
            ``DIGITS`` binary digits.

    Returns:
        float32 on the same grid.
    """
    values = sitk.GetArrayFromImage(volume).astype(np.float32, copy=False)
    for k, part in enumerate(values):  # slice by slice: no second volume
        steps = np.maximum(np.ldexp(np.float32(1), np.frexp(part)[1] - DIGITS), np.float32(step))
        values[k] = np.round(part / steps) * steps
    result = sitk.GetImageFromArray(values)
    result.CopyInformation(volume)
    return result


def write_rounded(volume: sitk.Image, path: Path, step: float) -> None:
    """Write a scalar volume as 16-bit integers with a scale, which readers apply.

    What lies below the accuracy of values is noise that no compression makes smaller, and two
    bytes are packed in half the time of four.

    Args:
        volume: scalar.
        path: ends in ``.nii.gz``.
        step: a power of two; values become multiples of it, or of as many times it as is needed for
            no more than ``STEPS``.
    """
    values = sitk.GetArrayViewFromImage(volume)
    lowest, highest = float(values.min()), float(values.max())
    while highest - lowest > STEPS * step:
        step *= 2
    fits = max(-lowest, highest) <= STEPS / 2 * step
    middle = 0.0 if fits else float(np.float32((lowest + highest) / 2))
    head = nifti_header(values.shape, np.int16, affine_of(volume), (step, middle))
    with path.open("wb") as file, GzipNGFile("", "wb", LEVEL, file, mtime=0) as target:
        target.write(head)
        for part in values:  # slice by slice: no second volume
            target.write(np.rint((part - middle) / step).astype("<i2").tobytes())


def write_volume(volume: sitk.Image, path: Path) -> None:
    """Write a scalar volume or a displacement field.

    SimpleITK makes the file, see :func:`bundle.geometry.fields.write_field`.

    Args:
        volume: any type of pixel.
        path: ends in ``.nii.gz`` or ``.nii``.

    Raises:
        OSError: the disk is full.
    """
    numbers = volume.GetNumberOfPixels() * volume.GetNumberOfComponentsPerPixel()
    with gzipped(path) if path.suffix == ".gz" else nullcontext(path) as plain:
        sitk.WriteImage(volume, str(plain))
        # ITK's NIfTI writer does not notice a full disk
        if plain.stat().st_size < numbers * volume.GetSizeOfPixelComponent():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@contextmanager
def gzipped(path: Path) -> Iterator[Path]:
    """Compress a file as soon as it is written.

    Its one gzip member, which all readers take, holds neither name nor time.

    Args:
        path: the file, which ends in ``.gz``.

    Yields:
        the path, without ``.gz``, to write to; nothing is left there.
    """
    plain = path.with_suffix("")
    try:
        yield plain
        with (
            plain.open("rb") as source,
            path.open("wb") as file,
            GzipNGFile("", "wb", LEVEL, file, mtime=0) as target,
        ):
            shutil.copyfileobj(source, target, CHUNK)
    finally:
        plain.unlink(missing_ok=True)


def write_transform(transform: sitk.Transform, path: Path) -> None:
    """Write a transform as ITK does, with its fields compressed, which ITK itself leaves out.

    Args:
        transform: any that ITK can write.
        path: ends in ``.h5``.
    """
    plain = path.with_suffix(".plain.h5")
    try:
        sitk.WriteTransform(transform, str(plain))
        with h5py.File(plain) as source, h5py.File(path, "w") as target:
            source.visititems(lambda name, part: _copy(name, part, target))
    finally:
        plain.unlink(missing_ok=True)


def _copy(name: str, part: Any, target: h5py.File) -> None:
    if isinstance(part, h5py.Group):
        target.require_group(name)
    elif part.size < SMALL:
        target.copy(part, name)
    else:  # bytes of equal weight side by side: most of them do not change
        chunks = (min(part.size, CHUNK // 8),)
        target.create_dataset(name, data=part[...], chunks=chunks, compression=LEVEL, shuffle=True)
