"""Whole stacks of real patients, with thick slices, as aligned pairs of volumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.evaluation.checks.aligned import AlignedPair
from bundle.evaluation.checks.brain import brain_in_skull, brain_in_tracer
from bundle.geometry.slices import plane_spacing
from bundle.training.stacks.activity import activity_slice
from bundle.training.stacks.listing import LEFT_OUT, series_of
from bundle.training.stacks.series import modality_of, read_series, stem
from bundle.training.stacks.usable import usable_slices

FIXED = ("MR-T1", "MR-T2", "MR-PD")
"""Series that may be the fixed one; the first that is there."""


def stack_pair(folder: Path, modality: str, seed: int) -> AlignedPair:
    """MRI and CT, PET or SPECT of a patient of the validation; errors count in the brain.

    Slices above and below those that show the head in both are left out. Blanked ones between are
    interpolated, as a scan has no gaps, and errors do not count in them.

    Args:
        folder: of ``val/PATIENT/*.nii.gz``, see :mod:`bundle.training.stacks`.
        modality: CT, PET or SPECT.
        seed: chooses the patient.

    Raises:
        InputError: the folder holds no such pair.
    """
    pairs = stack_files(folder, "val", modality)
    if not pairs:
        raise InputError(f"{folder}: holds no stack with {modality} in val; check the folder")
    volumes, shown = stack_volumes(*pairs[seed % len(pairs)])
    return AlignedPair(volumes[0], volumes[1], modality, where=_where(volumes, modality, shown))


def stack_files(folder: Path, split: str, modality: str) -> list[tuple[Path, Path]]:
    """An MRI series and each CT, PET or SPECT series of every patient of a split.

    Args:
        folder: of ``SPLIT/PATIENT/*.nii.gz``.
        split: ``train`` or ``val``.
        modality: CT, PET or SPECT.
    """
    return [
        (fixed, moving)
        for patient in sorted((folder / split).glob("*"))
        for fixed in _fixed_of(patient)
        for moving in series_of(patient)
        if modality_of(moving) == modality and not stem(moving).startswith(LEFT_OUT)
    ]


def stack_volumes(fixed: Path, moving: Path) -> tuple[list[sitk.Image], np.ndarray]:
    """Two aligned series as volumes, and which of their slices were not interpolated.

    Args:
        fixed: file of the MRI.
        moving: file of the other series.

    Returns:
        both volumes; bool (D,).
    """
    usable = sorted(usable_slices(str(fixed)) & usable_slices(str(moving)))
    slices = slice(usable[0], usable[-1] + 1)
    shown = np.zeros(slices.stop - slices.start, bool)
    shown[np.array(usable) - slices.start] = True
    return [_volume(path, slices, shown) for path in (fixed, moving)], shown


def _fixed_of(patient: Path) -> list[Path]:
    """The MRI of a patient that is used."""
    found = [p for name in FIXED for p in series_of(patient) if stem(p).startswith(name)]
    return found[:1]


def _volume(path: Path, slices: slice, shown: np.ndarray) -> sitk.Image:
    """Grey values or activity of a series; the rim of its field of view is at the origin."""
    pictures = read_series(str(path)).pictures
    if pictures.shape[1] == 1:
        values = pictures[:, 0].astype(np.float64)
    else:
        count = len(pictures)
        values = np.stack([activity_slice(str(path), k) for k in range(count)]).astype(np.float64)
    volume = sitk.GetImageFromArray(_without_gaps(values[slices], shown))
    rows, columns, normal = plane_spacing(sitk.ReadImage(str(path)), "axial")
    volume.SetSpacing((columns, rows, normal))
    volume.SetOrigin((columns / 2, rows / 2, normal / 2))
    return volume


def _without_gaps(values: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """(D, H, W) with slices that show nothing interpolated between their neighbours."""
    there = np.flatnonzero(shown)
    filled = values.copy()
    for k in np.flatnonzero(~shown):
        below, above = there[there < k][-1], there[there > k][0]
        share = (k - below) / (above - below)
        filled[k] = (1 - share) * values[below] + share * values[above]
    return filled


def _where(volumes: list[sitk.Image], modality: str, shown: np.ndarray) -> sitk.Image:
    """The brain on the fixed grid, in slices that were there."""
    fixed, moving = volumes
    find = brain_in_skull if modality == "CT" else brain_in_tracer
    brain = find(sitk.GetArrayFromImage(moving), moving.GetSpacing()[0])
    brain &= shown[:, None, None]
    mask = sitk.GetImageFromArray(brain.astype(np.uint8))
    mask.CopyInformation(moving)
    return sitk.Resample(mask, fixed, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
