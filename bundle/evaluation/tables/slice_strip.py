"""Ten slices of a fused volume, with what is shown in air and in bone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.domain import Range
from bundle.errors import InputError
from bundle.evaluation.tables.sheets import bare, plt, save
from bundle.geometry.grid import on_one_grid
from bundle.geometry.head import find_head
from bundle.geometry.slices import to_slices
from bundle.images.display import displayed
from bundle.images.volumes import read_volume

AIR, BONE = 0.02, 0.9
"""Air is darker in both displayed volumes, bone in the head is brighter in the displayed CT."""


@dataclass(frozen=True)
class FusedSlice:
    """An axial slice of a result.

    Attributes:
        pictures: fixed, warped and fused, each (H, W) in [0, 1].
        air: the brightest fused value in air; None without air.
        bone: the darkest fused value in bone of the head; None where there is none or no CT.
    """

    pictures: tuple[np.ndarray, np.ndarray, np.ndarray]
    air: float | None
    bone: float | None


def fused_slices(fixed: Path, results: Path, count: int = 10) -> list[FusedSlice]:
    """Axial slices at equal distances through a fused volume.

    Args:
        fixed: the fixed volume.
        results: folder of the pair's results.
        count: number of slices.

    Raises:
        InputError: a file is missing or cannot be read, or the fixed volume is another one.
    """
    is_ct, *windows = _report(results / "report.json")
    volumes = [
        read_volume(path).image
        for path in (fixed, results / "warped.nii.gz", results / "fused.nii.gz")
    ]
    if not all(on_one_grid(volumes[0], one) for one in volumes[1:]):
        raise InputError(
            f"{fixed}: has other voxels than the results in {results}; name the fixed volume that "
            "they are of, or fixed_used.nii.gz where they hold one"
        )
    shown = [
        displayed(_axial(image), window) for image, window in zip(volumes[:2], windows, strict=True)
    ]
    fused, head = _axial(volumes[2]).float(), _axial(find_head(volumes[0])) > 0
    places = np.linspace(0, fused.shape[2], count + 2)[1:-1].astype(int)
    return [
        _slice(shown[0][..., k], shown[1][..., k], fused[..., k], head[..., k], is_ct)
        for k in places
    ]


def slice_strip(slices: Sequence[FusedSlice], path: Path) -> None:
    """Draw fixed, warped and fused slices in three rows.

    Args:
        slices: from left to right.
        path: PNG to write.
    """
    height, width = slices[0].pictures[0].shape
    size = (1.2 * len(slices), 3 * 1.2 * height / width + 0.4)
    figure, axes = plt.subplots(3, len(slices), figsize=size, squeeze=False)
    for column, one in zip(axes.T, slices, strict=True):
        for axis, picture in zip(column, one.pictures, strict=True):
            axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
            bare(axis)
        column[-1].set_xlabel(_caption(one), fontsize=7)
    for axis, name in zip(axes[:, 0], ("fixed", "warped", "fused"), strict=True):
        axis.set_ylabel(name, fontsize=8)
    save(figure, path)


def _slice(
    fixed: torch.Tensor, warped: torch.Tensor, fused: torch.Tensor, head: torch.Tensor, is_ct: bool
) -> FusedSlice:
    air, bone = torch.maximum(fixed, warped) < AIR, (warped > BONE) & head
    return FusedSlice(
        (fixed.numpy(), warped.numpy(), fused.numpy()),
        float(fused[air].max()) if air.any() else None,
        float(fused[bone].min()) if is_ct and bone.any() else None,
    )


def _caption(one: FusedSlice) -> str:
    values = {"air": one.air, "bone": one.bone}
    return "\n".join(f"{name} {value:.2f}" for name, value in values.items() if value is not None)


def _axial(image: sitk.Image) -> torch.Tensor:
    return to_slices(image)[0]


def _report(path: Path) -> tuple[bool, Range, Range]:
    """Whether the moving volume is a CT, and the display windows of fixed and moving."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        windows = found["display"]
        fixed, moving = ((float(a), float(b)) for a, b in (windows["fixed"], windows["moving"]))
        return found["modality"] == "CT", fixed, moving
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read; name a folder of results of volumes") from error
