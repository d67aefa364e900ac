"""The volumes and transforms of a registered pair in files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import SimpleITK as sitk

from bundle.domain import Range
from bundle.fusion import FusedVolumes
from bundle.geometry.transform import as_transform
from bundle.images.matrix_files import write_fsl, write_lta
from bundle.options import Options
from bundle.registration import VolumeRegistration
from bundle.results.compressed import few_digits, write_rounded, write_transform, write_volume

FEW = 2**22
"""Voxels up to which values are written as they are: such files are small anyway."""

SHADES = 512
"""Steps of warped values from the one displayed as black to the one displayed as white."""

FUSED, UNCERTAINTY = 2.0**-10, 2.0**-4
"""Steps of these values; a screen shows 256 shades, and the uncertainty is no measurement."""


MATRICES = {"fsl": (write_fsl, "mat"), "lta": (write_lta, "lta")}
"""How the linear part is written for other tools, and how the file ends."""


def write_mapping(registration: VolumeRegistration, folder: Path, options: Options) -> None:
    """Write ``ddf.nii.gz``, ``transform.h5``, ``transform_inverse.h5`` and ``rigid.tfm``.

    Args:
        registration: what was found.
        folder: for the files.
        options: with ``ddf_full`` the displacements lie on the fixed grid, and not on one of about
            2 mm; ``matrices`` are written of the linear part besides.
    """
    found = registration.mapping
    field = registration.field if options.ddf_full else found.displacement
    write_volume(field, folder / "ddf.nii.gz")
    write_transform(found.forward, folder / "transform.h5")
    write_transform(found.backward, folder / "transform_inverse.h5")
    sitk.WriteTransform(as_transform(found.matrix), str(folder / "rigid.tfm"))
    grids = (registration.pair.fixed.image, registration.pair.moving.image)
    for name in options.matrices:
        write_matrix, suffix = MATRICES[name]
        write_matrix(found.matrix, *grids, folder / f"rigid.{suffix}")


def write_files(
    fused: FusedVolumes, folder: Path, options: Options, *others: Callable[[], None]
) -> None:
    """Write the volumes and transforms of a pair, two at a time: compressing leaves Python alone.

    Args:
        fused: the pair.
        folder: for the files.
        options: see :func:`write_mapping`.
        *others: write other files.
    """
    values = [
        partial(_write, volume, step, folder / f"{name}.nii.gz")
        for name, volume, step in _volumes(fused)
    ]
    mapping = partial(write_mapping, fused.registration, folder, options)
    jobs: list[Callable[[], None]] = [mapping, *values, *others]
    with ThreadPoolExecutor(2) as pool:
        written = [pool.submit(one) for one in jobs]
    for one in written:
        one.result()


def _write(volume: sitk.Image, step: float | None, path: Path) -> None:
    if step and volume.GetNumberOfPixels() > FEW:
        write_rounded(volume, path, step)
    else:
        write_volume(sitk.Cast(volume, sitk.sitkFloat32), path)


def rounded(volume: sitk.Image, step: float | None) -> sitk.Image:
    """float32, in a large volume as multiples of a step, see :func:`few_digits`."""
    large = volume.GetNumberOfPixels() > FEW
    return few_digits(volume, step) if large and step else sitk.Cast(volume, sitk.sitkFloat32)


def _volumes(fused: FusedVolumes) -> Iterator[tuple[str, sitk.Image, float | None]]:
    """Names of files, volumes, and to multiples of what they may be rounded."""
    registration = fused.registration
    yield "fused", fused.fused, FUSED
    yield "warped", registration.warped, shade_of(registration.initial.windows[1])
    if (uncertainty := registration.uncertainty) is not None:
        yield "uncertainty", uncertainty, UNCERTAINTY
    for side, volume in (("fixed", registration.pair.fixed), ("moving", registration.pair.moving)):
        if volume.resampled:  # the transform refers to this volume and not to the slices
            yield f"{side}_used", volume.image, None


def shade_of(window: Range) -> float:
    """A power of two below a shade, in the moving volume's units."""
    width = window[1] - window[0]
    return 2.0 ** math.floor(math.log2(width / SHADES)) if width > 0 else 0.0
