"""Load the two pictures of a record."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from bundle.training.stacks.activity import activity_slice
from bundle.training.stacks.series import read_series
from bundle.training.stacks.usable import heads_of, usable_slices

HEAD = 0.8
"""Usual longer side of a head as a share of the frame's, as in the atlas's single slices."""

SMALL = 0.7
"""Heads below this share are enlarged: their frame is cropped."""


def load_stack_slice(
    record: Mapping[str, Any], size: int = 256
) -> tuple[torch.Tensor, torch.Tensor]:
    """The two pictures of a record.

    Args:
        record: of :func:`bundle.training.stacks.listing.list_stack_slices`.
        size: pixels per side.

    Returns:
        float32 on the scale 0 to 255: ``fixed`` (1, size, size); ``moving`` (1, size, size) of
        grey CT, or (4, size, size) of colours: R, G, B and the activity behind them. Rows run
        front to back, columns from the patient's right to the left.

    Raises:
        InputError: a file cannot be read, or a movie shows too few colours.
    """
    fixed, moving = (
        torch.from_numpy(read_series(record[key]).pictures[record["slice"]]).float()
        for key in ("fixed", "moving")
    )
    if len(moving) == 3:
        activity = torch.from_numpy(activity_slice(record["moving"], record["slice"]))
        moving = torch.cat([moving, activity.float()[None]])
    frame = _frame(record["fixed"])
    return _framed(fixed[:1], frame, size), _framed(moving, frame, size)


@lru_cache(maxsize=512)
def _frame(path: str) -> tuple[float, float, float]:
    """First row, first column and side, as shares, of the square that is shown."""
    heads = heads_of(path)
    usual = float(np.median(heads.boxes[sorted(usable_slices(path)), 2:].max(axis=1)))
    if usual >= SMALL:
        return 0.0, 0.0, 1.0
    side = usual / HEAD
    box = heads.boxes[int(np.argmax(heads.shares))]
    top, left = (float(np.clip(box[a] + box[a + 2] / 2 - side / 2, 0, 1 - side)) for a in (0, 1))
    return top, left, side


def _framed(picture: torch.Tensor, frame: tuple[float, float, float], size: int) -> torch.Tensor:
    """(C, H, W) cropped to whole 64ths of its sides, so that all grids agree, and resized."""
    _, height, width = picture.shape
    top, left, side = (round(64 * share) / 64 for share in frame)
    rows = slice(round(top * height), round((top + side) * height))
    columns = slice(round(left * width), round((left + side) * width))
    shown = picture[None, :, rows, columns]
    if shown.shape[-1] >= size:
        return interpolate(shown, (size, size), mode="area")[0]
    return interpolate(shown, (size, size), mode="bilinear", align_corners=False)[0]
