"""Whole painted heads: two volumes on grids of their own that are aligned by construction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.training.heads.contrasts import MRI, Contrast, draw_contrast
from bundle.training.heads.paint import noisy, sharp_values
from bundle.training.heads.smooth import blurred
from bundle.training.heads.tissues import BRAIN, Tissue, varied


@dataclass(frozen=True)
class HeadPair:
    """Two aligned volumes of one head.

    Attributes:
        fixed: MRI, float32, relative units times 1000, on the grid of the tissue map, widened.
        moving: float32, CT in HU, PET or SPECT as activity (1000 = cortex), MR as ``fixed``, on a
            grid of its own.
        modality: of the moving volume.
        brain: uint8 on the grid of ``fixed``, 1 = brain without the liquid around it.
    """

    fixed: sitk.Image
    moving: sitk.Image
    modality: str
    brain: sitk.Image


@dataclass(frozen=True)
class _Grid:
    """Voxel size in mm along x, y and z, and full width at half maximum of the blur in mm."""

    spacing: tuple[float, float, float]
    fwhm: float


_GRIDS = {
    "CT": _Grid((1.0, 1.0, 2.0), 1.2),
    "PET": _Grid((2.0, 2.0, 2.0), 6.0),
    "SPECT": _Grid((4.0, 4.0, 4.0), 11.0),
    "MR": _Grid((1.0, 1.0, 3.0), 1.2),
}
_OTHER_MRI = ("T2", "FLAIR")  # what an MRI is that is registered onto a T1, seed by seed
_ROOM = 12  # voxels of air on every side but below, where the neck goes on
_CLOSING = 3  # voxels: sulci that are narrower than twice that count as brain
_SCALE = 1000.0


def head_volume_pair(
    path: str | Path, modality: str, seed: int, fixed_contrast: str = "T1"
) -> HeadPair:
    """Paint a head as MRI and as CT, PET, SPECT or another MRI.

    Args:
        path: tissue map of 1 mm; axes run to the right, front and top.
        modality: CT (1 x 1 x 2 mm), PET (2 mm, blurred by 6 mm), SPECT (4 mm, by 11 mm) or MR (1 x
            1 x 3 mm), which is T2 of even seeds and FLAIR of odd ones.
        seed: of all that is drawn.
        fixed_contrast: one of :data:`bundle.training.heads.contrasts.MRI`.

    Raises:
        InputError: the file cannot be read, or there is no such modality or contrast.
    """
    if modality not in _GRIDS or fixed_contrast not in MRI:
        raise InputError(
            f"{modality}, {fixed_contrast}: name one of {', '.join(_GRIDS)} and of {', '.join(MRI)}"
        )
    try:
        image = sitk.ReadImage(str(path), sitk.sitkUInt8)
    except RuntimeError as error:
        raise InputError(f"{path}: cannot be read as a tissue map; check the file") from error
    image = sitk.ConstantPad(image, [_ROOM, _ROOM, 0], [_ROOM] * 3, int(Tissue.BACKGROUND))
    rngs = [np.random.default_rng((seed, part)) for part in range(3)]
    steps = image.GetSpacing()[::-1]
    original = sitk.GetArrayFromImage(image)
    labels = varied(original, rngs[0], steps)
    shown = _OTHER_MRI[seed % 2] if modality == "MR" else modality
    contrasts = [draw_contrast(fixed_contrast, rngs[1]), draw_contrast(shown, rngs[2])]
    grid = _GRIDS[modality]
    contrasts[1] = replace(contrasts[1], fwhm=grid.fwhm)
    clean = [
        _like(blurred(sharp_values(labels, contrast, rng, steps), contrast.fwhm, steps), image)
        for contrast, rng in zip(contrasts, rngs[1:], strict=True)
    ]
    fixed = _with_noise(clean[0], contrasts[0], rngs[1])
    moving = _with_noise(_sampled(clean[1], grid.spacing, contrasts[1]), contrasts[1], rngs[2])
    return HeadPair(fixed, moving, modality, _brain(original, image))


def _like(values: np.ndarray, grid: sitk.Image) -> sitk.Image:
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(grid)
    return image


def _sampled(image: sitk.Image, spacing: Sequence[float], contrast: Contrast) -> sitk.Image:
    """The extent of the volume in voxels of another size, from one outer corner to the other.

    Twice the voxel size puts each voxel's middle between two old ones: their mean is taken.
    """
    old, new = np.array(image.GetSpacing()), np.array(spacing)
    size = np.ceil(np.array(image.GetSize()) * old / new - 1e-6).astype(int).tolist()
    direction = np.reshape(image.GetDirection(), (3, 3))
    origin = np.array(image.GetOrigin()) + direction @ ((new - old) / 2)
    nothing = float(contrast.values[Tissue.BACKGROUND])
    return sitk.Resample(
        image, size, sitk.Transform(), sitk.sitkLinear, origin.tolist(), new.tolist(),
        image.GetDirection(), nothing,
    )  # fmt: skip


def _with_noise(image: sitk.Image, contrast: Contrast, rng: np.random.Generator) -> sitk.Image:
    values = noisy(sitk.GetArrayFromImage(image), contrast, rng, image.GetSpacing()[::-1])
    scale = 1.0 if contrast.name == "CT" else _SCALE
    return _like(np.asarray(values * np.float32(scale), dtype=np.float32), image)


def _brain(labels: np.ndarray, grid: sitk.Image) -> sitk.Image:
    """The tissues of the brain and the liquid of the sulci between them."""
    tissue = (labels >= BRAIN[0]) & (labels <= BRAIN[1])
    closed = sitk.BinaryMorphologicalClosing(_like(tissue.astype(np.uint8), grid), [_CLOSING] * 3)
    inside = (labels >= Tissue.CSF) & (labels <= BRAIN[1])
    return sitk.And(closed, _like(inside.astype(np.uint8), grid))
