"""Bring decoded pictures to luminance, chrominance and activity channels."""

from __future__ import annotations

import csv
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import Transform
from monai.utils import convert_to_tensor

from bundle.errors import InputError
from bundle.images.color import luma, rgb_to_ycbcr


class SplitColord(Transform):
    """``fixed`` to luminance (1, H, W), ``moving`` to (4, H, W): Y, Cb, Cr and activity.

    All on the scale 0 to 1, chrominance neutral at 0. A ``moving`` of four channels is RGB and
    activity already. Activity is the palette index of a
    pseudo-coloured picture, where the folder of palettes has a table for the item's modality
    (``palette_<modality>.csv`` with columns index, r, g, b); else the luminance again.

    Args:
        palette_dir: folder of the tables, or None.

    Raises:
        InputError: ``palette_dir`` is given and is no folder.
    """

    def __init__(self, palette_dir: str | None = None) -> None:
        self.palettes: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        if palette_dir is None:
            return
        if not Path(palette_dir).is_dir():
            raise InputError(f"{palette_dir}: no such folder of palettes; omit palette_dir")
        for path in Path(palette_dir).glob("palette_*.csv"):
            self.palettes[path.stem.removeprefix("palette_")] = _read_palette(path)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Convert one item."""
        item = dict(data)
        fixed = convert_to_tensor(item["fixed"], dtype=torch.float32, track_meta=False)
        moving = convert_to_tensor(item["moving"], dtype=torch.float32, track_meta=False)
        item["fixed"] = luma(fixed) / 255
        if len(moving) == 4:  # colour and, recovered already, activity
            color = rgb_to_ycbcr(moving[:3]) / 255
            item["moving"] = torch.cat([color, moving[3:] / 255])
            return item
        activity = luma(moving) / 255
        if moving.shape[0] == 3 and item.get("modality") in self.palettes:
            activity = _activity(moving, *self.palettes[item["modality"]])
        if moving.shape[0] == 3:
            color = rgb_to_ycbcr(moving) / 255
        else:
            color = torch.cat([moving / 255, torch.zeros_like(moving).repeat(2, 1, 1)])
        item["moving"] = torch.cat([color, activity])
        return item


def _read_palette(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Colours as sorted 24-bit codes, and the activity (0 to 1) of each."""
    with path.open(newline="", encoding="utf-8") as handle:
        rows = [
            [int(row[key]) for key in ("index", "r", "g", "b")] for row in csv.DictReader(handle)
        ]
    table = np.array(rows)
    codes = table[:, 1] * 65536 + table[:, 2] * 256 + table[:, 3]
    order = np.argsort(codes)
    return codes[order], (table[:, 0] / table[:, 0].max())[order].astype(np.float32)


def _activity(rgb: torch.Tensor, codes: np.ndarray, activity: np.ndarray) -> torch.Tensor:
    """Look every colour up; the few that are not in the table get the code's neighbour."""
    values = rgb.numpy().astype(np.int64)
    wanted = values[0] * 65536 + values[1] * 256 + values[2]
    index = np.searchsorted(codes, wanted).clip(0, len(codes) - 1)
    return torch.from_numpy(activity[index])[None]
