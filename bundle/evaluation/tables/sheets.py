"""Contact sheets: pictures of pairs by method, and the ten fields of one pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import torch

from bundle.evaluation.reference_rows import Pair, as_written
from bundle.fusion.recolor import recolor
from bundle.geometry.warp import warp
from bundle.images.color import ycbcr_to_rgb

matplotlib.use("Agg")  # files only: no display needed

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

STEP = 12
"""Pixels between the lines of a drawn field."""


def colored(luminance: torch.Tensor, moving: torch.Tensor, ddf: torch.Tensor) -> np.ndarray:
    """A picture with the moving image's colours where a field puts them.

    Args:
        luminance: (1, 1, H, W), 0 to 255.
        moving: (1, 3, H, W), Y, Cb, Cr, 0 to 1.
        ddf: (1, 2, H, W), voxels, ij, pull-back.

    Returns:
        uint8 (H, W, 3).
    """
    warped = ycbcr_to_rgb(warp(moving, ddf)[0] * 255)
    picture = as_written(recolor(as_written(luminance)[0].double(), warped))
    return picture.movedim(0, -1).byte().numpy()


def contact_sheet(rows: Mapping[str, Mapping[str, np.ndarray]], path: Path) -> None:
    """Write pictures side by side.

    Args:
        rows: row title to column title to uint8 (H, W, 3); all rows have the same columns.
        path: PNG to write.
    """
    columns = list(next(iter(rows.values())))
    size = (1.6 * len(columns), 1.7 * len(rows) + 0.3)
    figure, axes = plt.subplots(len(rows), len(columns), figsize=size, squeeze=False)
    for line, (name, pictures) in zip(axes, rows.items(), strict=True):
        for axis, column in zip(line, columns, strict=True):
            axis.imshow(pictures[column])
            bare(axis)
        line[0].set_ylabel(name)
    for axis, column in zip(axes[0], columns, strict=True):
        axis.set_title(column, fontsize=8)
    save(figure, path)


def field_sheet(
    pair: Pair, fields: Mapping[str, torch.Tensor], path: Path, columns: int = 6
) -> None:
    """Draw fields as deformed grids over the fixed image.

    Args:
        pair: what the fields belong to.
        fields: title to (2, H, W), voxels, ij, pull-back.
        path: PNG to write.
        columns: pictures per row.
    """
    count = -(-len(fields) // columns)
    size = (1.9 * columns, 2.3 * count)
    figure, axes = plt.subplots(count, columns, figsize=size, squeeze=False)
    for axis in axes.flat:
        bare(axis)
    for axis, (title, field) in zip(axes.flat, fields.items(), strict=False):
        axis.imshow(pair.fixed[0, 0].numpy(), cmap="gray", vmin=0, vmax=400)
        _draw_grid(axis, field.numpy())
        axis.set_title(title, fontsize=8)
    save(figure, path)


def save(figure: plt.Figure, path: Path) -> None:
    """Write a figure and close it; equal figures give equal bytes."""
    figure.tight_layout()
    figure.savefig(path, dpi=90, metadata={"Software": None})  # no date or version in the file
    plt.close(figure)


def _draw_grid(axis: Axes, field: np.ndarray) -> None:
    """Where the lines of a regular grid on the fixed image lie in the moving one."""
    height, width = field.shape[1:]
    rows, columns = np.mgrid[0:height, 0:width] + field
    for k in range(0, height, STEP):
        axis.plot(columns[k], rows[k], color="C1", linewidth=0.7)
    for k in range(0, width, STEP):
        axis.plot(columns[:, k], rows[:, k], color="C1", linewidth=0.7)
    axis.set_xlim(0, width - 1)
    axis.set_ylim(height - 1, 0)


def bare(axis: Axes) -> None:
    """No ticks and no frame, but room for a label."""
    axis.set_xticks([])
    axis.set_yticks([])
    for side in axis.spines.values():
        side.set_visible(False)


def titled(errors: Sequence[float], names: Sequence[str]) -> list[str]:
    """Names with the error in px beneath each."""
    return [f"{name}\n{error:.1f} px" for name, error in zip(names, errors, strict=True)]
