"""List slices of painted heads, and make each from its record alone."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.domain import CT_WINDOW, MODALITIES, PERCENTILES, PLANES
from bundle.errors import InputError
from bundle.images.display import displayed, percentile_window
from bundle.training.heads.contrasts import MRI, Contrast, draw_contrast
from bundle.training.heads.cut import PlaneMap, framed, in_plane, resized, slab
from bundle.training.heads.paint import noisy, paint_slice
from bundle.training.heads.smooth import margin
from bundle.training.heads.tissues import BRAIN, Tissue, varied

VALIDATION = ("head_15", "head_16", "head_17")
"""Heads of the validation; all others are for training."""

THICKNESS = (1.0, 7.0)
"""Millimetres, from and to."""

LEAST = 0.1
"""Share of the frame that must be head."""

LEAST_BRAIN = 0.03
"""And brain: a face or a neck alone is not what the network registers."""

FIXED_SHARES = (0.27, 0.28, 0.13, 0.12, 0.2)
"""How often each of :data:`bundle.training.heads.contrasts.MRI` is the fixed image."""

CLOSE = 0.5
"""Share of the pairs that are framed like pictures, the others like slices of volumes."""

_DIM = 0.7  # of the cortex's activity: slices without brain are not shown brighter than that


def list_head_slices(
    root: str | Path, split: str, per_head: int = 24, paintings: int = 1, seed: int = 0
) -> list[dict[str, Any]]:
    """Draw slices of every head of a split.

    Args:
        root: folder of ``head_NN.nii.gz``.
        split: ``train`` or ``val``.
        per_head: slices of each head; planes and modalities take turns.
        paintings: how often each slice is painted.
        seed: of the positions and thicknesses.

    Returns:
        records: ``kind`` (heads), ``fixed`` and ``moving`` (the path of the map), ``plane``,
        ``position`` (number of the slice), ``thickness`` (mm), ``modality``, ``painting``,
        ``name`` and ``case`` (the head).

    Raises:
        InputError: no such folder, or no head of the split in it.
    """
    paths = sorted(Path(root).glob("head_*.nii.gz"))
    paths = [path for path in paths if (_case(path) in VALIDATION) == (split == "val")]
    if not paths or split not in ("train", "val"):
        raise InputError(f"{root}: holds no head_NN.nii.gz for {split}; check the folder")
    return [
        record
        for path in paths
        for record in _slices_of(path, per_head, paintings, _rng(seed, _case(path)))
    ]


def _slices_of(
    path: Path, per_head: int, paintings: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    records = []
    usable = {plane: _usable(str(path), plane) for plane in PLANES}
    for number in range(per_head):
        plane = tuple(PLANES)[number % 3]
        record = {
            "kind": "heads", "fixed": str(path), "moving": str(path), "plane": plane,
            "position": int(rng.choice(usable[plane])),
            "thickness": round(float(rng.uniform(*THICKNESS)), 1),
            "modality": MODALITIES[number // 3 % 3], "case": _case(path),
        }  # fmt: skip
        name = f"{_case(path)}_{number:03d}"
        records += [
            {**record, "painting": painting, "name": f"{name}_{painting}"}
            for painting in range(paintings)
        ]
    return records


def load_head_slice(
    record: Mapping[str, Any], size: int = 256
) -> tuple[torch.Tensor, torch.Tensor]:
    """Paint the two images of a record; always the same ones.

    Args:
        record: of :func:`list_head_slices`; the path's folder does not matter.
        size: pixels per side.

    Returns:
        fixed and moving, float32 (1, size, size) on the scale 0 to 255: MRI in a window of
        percentiles, CT in its window, PET and SPECT as activity.
    """
    head = plane_map(str(record["fixed"]), record["plane"])
    keys = (record["case"], record["plane"], record["position"], record["thickness"],
            record["modality"], record["painting"])  # fmt: skip
    anatomy, fixed_rng, moving_rng = (_rng(*keys, part) for part in range(3))
    name = str(fixed_rng.choice(MRI, p=FIXED_SHARES))
    fixed = draw_contrast(name, fixed_rng)
    moving = draw_contrast(record["modality"], moving_rng)
    reach = margin(max(fixed.fwhm, moving.fwhm), head.spacing[0])
    labels, shares = slab(head, record["position"], record["thickness"], reach)
    labels = varied(labels, anatomy, head.spacing)
    frame = head.close if anatomy.uniform() < CLOSE else head.frame
    inside = resized(framed((labels[len(labels) // 2] > 0) * np.float32(1), frame, 0), size)
    pictures = []
    for contrast, rng in ((fixed, fixed_rng), (moving, moving_rng)):
        values = paint_slice(labels, shares, contrast, rng, head.spacing)
        whole = framed(values, frame, float(contrast.values[Tissue.BACKGROUND]))
        shown = resized(noisy(whole, contrast, rng, head.spacing[1:]), size)
        pictures.append(255 * displayed(shown, _window(shown, inside > 0.5, contrast)))
    return pictures[0], pictures[1]


def _window(values: torch.Tensor, head: torch.Tensor, contrast: Contrast) -> tuple[float, float]:
    if contrast.name == "CT":
        return CT_WINDOW
    lower, upper = percentile_window(values, head, PERCENTILES)
    if contrast.name in MRI:
        return lower, upper
    return 0.0, max(upper, _DIM * float(contrast.values[Tissue.CORTEX]))


@lru_cache(maxsize=8)
def plane_map(path: str, plane: str) -> PlaneMap:
    """Read a map and orient it; the last few stay in memory.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    try:
        return in_plane(sitk.ReadImage(path, sitk.sitkUInt8), plane)
    except RuntimeError as error:
        raise InputError(f"{path}: cannot be read as a tissue map; check the file") from error


@lru_cache(maxsize=64)
def _usable(path: str, plane: str) -> tuple[int, ...]:
    """Numbers of the slices that show enough head."""
    head = plane_map(path, plane)
    area = head.frame[2] * head.frame[3]
    brain = (head.labels >= BRAIN[0]) & (head.labels <= BRAIN[1])
    enough = (head.labels > 0).sum(axis=(1, 2)) >= LEAST * area
    enough &= brain.sum(axis=(1, 2)) >= LEAST_BRAIN * area
    if not enough.any():
        raise InputError(f"{path}: no {plane} slice shows enough of head and brain; check the file")
    return tuple(enough.nonzero()[0].tolist())


def _case(path: Path) -> str:
    return path.name.removesuffix(".nii.gz")


def _rng(*keys: Any) -> np.random.Generator:
    """A generator of these keys alone, whatever the process."""
    numbers = [zlib.crc32(str(key).encode()) for key in keys]
    return np.random.default_rng(np.random.SeedSequence(numbers))
