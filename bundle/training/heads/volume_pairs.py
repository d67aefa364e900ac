"""Training pairs of volumes: painted heads, misaligned by a known field in three dimensions."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from monai.transforms import Randomizable, Transform
from torch.nn import functional

from bundle.domain import CT_WINDOW
from bundle.errors import InputError
from bundle.images.display import displayed
from bundle.training.heads.contrasts import Contrast, draw_contrast
from bundle.training.heads.paint import modulated, noisy
from bundle.training.heads.pairs import VALIDATION
from bundle.training.heads.smooth import blurred
from bundle.training.heads.tissues import BRAIN, varied
from bundle.training.heads.volume_maps import STEP, draw_maps, middle_grid, sampled

VOXEL = 2.0
"""Voxel size of the volumes, mm."""

SIZE = (96, 112, 96)
"""Voxels from bottom to top, from front to back and from right to left."""

FIXED = {"T1": 0.5, "T2": 0.15, "FLAIR": 0.1, "PD": 0.08, "random": 0.17}
MOVING = {"CT": 0.32, "PET": 0.3, "SPECT": 0.26, "T2": 0.06, "random": 0.06}
"""How often which contrast is painted."""

FWHM = {"PET": (4.5, 9.0), "SPECT": (8.0, 13.0)}
"""Blur in mm: reconstructions differ more than those of the slices do."""

THICK = 0.25
"""Share of the images that have slices of 4 to 8 mm."""

SLAB = 0.25
"""Share of the images of which only a part of the slices was taken."""

BARE = 0.08
"""Share of the images of the brain alone: the skull was stripped."""

_AIR = 20  # voxels of 1 mm around the head, so that it can be turned
_MOST_CUT = 0.35  # of the slices, above and below together


def list_head_volumes(root: str | Path, split: str, variants: int = 4) -> list[dict[str, Any]]:
    """List the heads of a split.

    Args:
        root: folder of ``head_NN.nii.gz``.
        split: ``train`` or ``val``.
        variants: how often each head gets other fat and lesions.

    Returns:
        records: ``tissues`` (the path of the map), ``variant`` and ``name``.

    Raises:
        InputError: no such folder, or no head of the split in it.
    """
    paths = sorted(Path(root).glob("head_*.nii.gz"))
    paths = [p for p in paths if (p.name.split(".")[0] in VALIDATION) == (split == "val")]
    if not paths or split not in ("train", "val"):
        raise InputError(f"{root}: holds no head_NN.nii.gz for {split}; check the folder")
    return [
        {"tissues": str(path), "variant": k, "name": f"{path.name.split('.')[0]}_{k}"}
        for path in paths
        for k in range(variants)
    ]


class LoadTissuesd(Transform):
    """Read ``tissues``: uint8 (D, H, W) of 1 mm, upwards, to the back and to the left, in air."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Load one record."""
        path = str(data["tissues"])
        try:
            image = sitk.DICOMOrient(sitk.ReadImage(path, sitk.sitkUInt8), "LPS")
        except RuntimeError as error:
            raise InputError(f"{path}: cannot be read as a tissue map; check the file") from error
        rng = np.random.default_rng((int(data["variant"]), 11))
        labels = varied(sitk.GetArrayFromImage(image), rng, (1.0, 1.0, 1.0))
        room = [(_AIR // 2, _AIR), (_AIR, _AIR), (_AIR, _AIR)]
        room = [
            (low, high + (low + high + n) % 2)
            for n, (low, high) in zip(labels.shape, room, strict=True)
        ]
        return {**data, "tissues": np.pad(labels, room)}


class RandHeadVolumesd(Randomizable, Transform):
    """Paint ``tissues`` twice, misalign one, and give what the network learns from.

    Gives ``image`` (2, H, W, D) in [0, 1], fixed and moving; ``ddf`` (3, H / 2, W / 2, D / 2), mm,
    channels in the order of the axes, pull-back; and ``weight`` (1, H / 2, W / 2, D / 2), 1 in the
    brain of the fixed image, less around it. Axes go to the back, to the left and upwards.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Paint one head."""
        rng = np.random.default_rng(int(self.R.randint(2**31)))
        labels = data["tissues"]
        kinds = [_chosen(FIXED, rng), _chosen(MOVING, rng)]
        coarse = labels[::2, ::2, ::2]
        brain = _pooled(((labels >= BRAIN[0]) & (labels <= BRAIN[1])).astype(np.float32))
        head = _pooled((labels > 0).astype(np.float32))
        maps = draw_maps([n // 2 for n in SIZE], rng)
        middle = _middle_of(brain)
        inside = torch.cat([brain, head])
        images = []
        for kind, places in zip(kinds, (maps.fixed, maps.moving), strict=True):
            contrast = drawn(kind, rng)
            values = _painted(labels, coarse, contrast, rng)
            where = sampled(inside, places + middle, VOXEL, "zeros")
            if rng.uniform() < BARE:
                values = _bare(values, brain, contrast)
            images.append(_scanned(values, _finer(places) + middle, where, contrast, rng))
        where = sampled(inside, maps.fixed + middle, VOXEL, "zeros")
        weight = 0.05 + 0.15 * where[1:] + 0.8 * where[:1]
        return {
            "image": _turned(torch.cat(images)),
            "ddf": _turned(maps.ddf)[[1, 2, 0]],
            "weight": _turned(weight),
            "modality": kinds[1],
            "name": data["name"],
        }


def drawn(kind: str, rng: np.random.Generator) -> Contrast:
    """A contrast for a volume."""
    contrast = draw_contrast(kind, rng)
    return replace(contrast, fwhm=rng.uniform(*FWHM[kind])) if kind in FWHM else contrast


def _chosen(shares: Mapping[str, float], rng: np.random.Generator) -> str:
    return str(rng.choice(list(shares), p=list(shares.values())))


def _pooled(values: np.ndarray) -> torch.Tensor:
    """(1, D, H, W) of 2 mm, from 1 mm."""
    return functional.avg_pool3d(torch.from_numpy(values)[None], 2)


def _middle_of(brain: torch.Tensor) -> torch.Tensor:
    """The brain's middle, mm from that of the map."""
    points = middle_grid(brain.shape[1:], VOXEL)
    return ((points * brain).sum((1, 2, 3)) / brain.sum()).view(3, 1, 1, 1)


def _painted(
    labels: np.ndarray, coarse: np.ndarray, contrast: Contrast, rng: np.random.Generator
) -> torch.Tensor:
    """The head of 2 mm before the scanner blurs it, (1, D, H, W)."""
    values = _pooled(contrast.values[labels])
    part = coarse[: values.shape[1], : values.shape[2], : values.shape[3]]
    modulated_ = modulated(values[0].numpy(), part, contrast, rng, [VOXEL] * 3)
    return torch.from_numpy(np.ascontiguousarray(modulated_, np.float32))[None]


def _bare(values: torch.Tensor, brain: torch.Tensor, contrast: Contrast) -> torch.Tensor:
    nothing = float(contrast.values[0])
    near = functional.max_pool3d(brain, 3, 1, 1)
    return torch.where(near > 0.3, values, nothing)


def _finer(places: torch.Tensor) -> torch.Tensor:
    """Places of the voxels from those of the coarser points."""
    offset = places - middle_grid(places.shape[1:], STEP)
    fine = functional.interpolate(offset[None], scale_factor=2, mode="trilinear")[0]
    return fine + middle_grid(fine.shape[1:], VOXEL)


def _scanned(
    values: torch.Tensor,
    places: torch.Tensor,
    where: torch.Tensor,
    contrast: Contrast,
    rng: np.random.Generator,
) -> torch.Tensor:
    """What a scanner makes of it, as displayed: (1, D, H, W) in [0, 1]."""
    nothing = float(contrast.values[0])
    seen = sampled(values - nothing, places, VOXEL, "zeros")[0].numpy() + nothing
    seen = noisy(blurred(seen, contrast.fwhm, [VOXEL] * 3), contrast, rng, [VOXEL] * 3)
    image = torch.from_numpy(seen)[None]
    if rng.uniform() < THICK:
        image = _thick(image, int(rng.integers(2, 5)))
    shown = displayed(image, _window(image, where, contrast, rng))
    if rng.uniform() < SLAB:
        shown = _slab(shown, rng)
    return shown


def _thick(image: torch.Tensor, count: int) -> torch.Tensor:
    """Means of some slices each, and linear interpolation between them."""
    slices = functional.avg_pool3d(image, (count, 1, 1), ceil_mode=True)
    return functional.interpolate(slices[None], image.shape[1:], mode="trilinear")[0]


def _slab(shown: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    count = shown.shape[1]
    cut = rng.uniform(0, _MOST_CUT) * count
    below = int(cut * rng.uniform())
    cleared = torch.zeros_like(shown)
    cleared[:, below : count - int(cut - below)] = shown[:, below : count - int(cut - below)]
    return cleared


def _window(
    image: torch.Tensor, where: torch.Tensor, contrast: Contrast, rng: np.random.Generator
) -> tuple[float, float]:
    if contrast.name == "CT":
        return CT_WINDOW
    inside = image[:, ::2, ::2, ::2][where[1:] > 0.5].numpy()
    lower, upper = np.percentile(inside, [rng.uniform(0.2, 1.0), rng.uniform(99.0, 99.8)])
    return float(lower), float(max(upper, lower + 1e-3))


def _turned(volume: torch.Tensor) -> torch.Tensor:
    """(C, D, H, W) to (C, H, W, D)."""
    return volume.permute(0, 2, 3, 1).contiguous()
