"""Ten slices of a fused volume, with what is shown in air and in bone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bundle.errors import InputError
from bundle.evaluation.tables.sheets import bare, plt, save
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
        InputError: a file is missing or cannot be read.
    """
    report = _report(results / "report.json")
    display = report["display"]
    shown = [
        displayed(_axial(path), (lower, upper))
        for path, (lower, upper) in (
            (fixed, display["fixed"]),
            (results / "warped.nii.gz", display["moving"]),
        )
    ]
    fused = _axial(results / "fused.nii.gz").float()
    head = to_slices(find_head(read_volume(fixed).image))[0] > 0
    places = np.linspace(0, fused.shape[2], count + 2)[1:-1].astype(int)
    is_ct = report["modality"] == "CT"
    first, second = shown
    return [
        _slice(first[..., k], second[..., k], fused[..., k], head[..., k], is_ct) for k in places
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


def _axial(path: Path) -> torch.Tensor:
    return to_slices(read_volume(path).image)[0]


def _report(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read; name a folder of results") from error
