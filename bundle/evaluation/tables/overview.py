"""One picture of the demo: its volumes before and after registration, fused, and the field."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import SimpleITK as sitk
from PIL import Image

from bundle.domain import CT_WINDOW
from bundle.errors import InputError
from bundle.phantom.canvas import Tissue
from bundle.results.page import grey

matplotlib.use("Agg")  # files only: no display needed

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

PAIRS = {"CT": "ct", "PET": "pet"}
TITLES = ("MRI", "moving", "registered", "fused", "displacement")
STEP = 8
"""Voxels between the lines of the drawn field."""

COLORS = 256
"""Of the file, which would else be three times as large."""


def draw_overview(demo: Path, path: Path) -> None:
    """Draw a row per pair of volumes.

    The moving image before and after registration has the outlines of the MRI's brain and
    ventricles.

    Args:
        demo: folder of the results of ``scripts.demo``.
        path: PNG to write.

    Raises:
        InputError: a volume of the demo is missing or cannot be read.
    """
    figure, axes = plt.subplots(len(PAIRS), len(TITLES), figsize=(10, 4.9))
    for line, (modality, name) in zip(axes, PAIRS.items(), strict=True):
        _draw_pair(line, demo, modality, name)
        line[0].set_ylabel(f"{modality} onto MRI", fontsize=11)
    for axis, title in zip(axes[0], TITLES, strict=True):
        axis.set_title(title, fontsize=11)
    figure.tight_layout(pad=0.3)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=90)
    plt.close(figure)
    Image.open(drawn).convert("RGB").quantize(COLORS).save(path, optimize=True)


def _draw_pair(line: Sequence[Axes], demo: Path, modality: str, name: str) -> None:
    phantom, results = demo / "phantom", demo / name
    fixed, inside = _slice(phantom / "mri_t1.nii.gz"), _inside(phantom / "labels.nii.gz")
    moving, warped = (
        _slice(phantom / f"{name}_misaligned.nii.gz"),
        _slice(results / "warped.nii.gz"),
    )
    window = CT_WINDOW if modality == "CT" else (0.0, float(np.percentile(warped, 99.9)))
    colored = results / "fused_color.nii.gz"
    fused = _slice(colored) if colored.is_file() else grey(_slice(results / "fused.nii.gz"), 0, 1)
    pictures = [
        grey(fixed, 0.0, float(np.percentile(fixed, 99.5))),
        grey(moving, *window),
        grey(warped, *window),
        fused,
        grey(fixed, 0.0, 2 * float(fixed.max())),
    ]
    for axis, picture in zip(line, pictures, strict=True):
        axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
        axis.set_xticks([])
        axis.set_yticks([])
    for axis in line[1:3]:
        for part in filter(np.any, inside):
            axis.contour(part, levels=[0.5], colors="cyan", linewidths=0.8)
    _draw_field(line[4], results / "ddf.nii.gz", phantom / "mri_t1.nii.gz")


def _draw_field(axis: Axes, path: Path, grid: Path) -> None:
    """The lines of a regular grid on the fixed image, where they lie in the moving one."""
    fixed = sitk.DICOMOrient(_read(grid), "LPS")
    field = sitk.Resample(sitk.Cast(_read(path), sitk.sitkVectorFloat64), fixed)
    steps = _middle(field)[..., :2] / np.array(fixed.GetSpacing()[:2])
    height, width = steps.shape[:2]
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    columns, rows = columns + steps[..., 0], rows + steps[..., 1]
    for k in range(0, height, STEP):
        axis.plot(columns[k], rows[k], color="C1", linewidth=0.8)
    for k in range(0, width, STEP):
        axis.plot(columns[:, k], rows[:, k], color="C1", linewidth=0.8)
    axis.set_xlim(0, width - 1)
    axis.set_ylim(height - 1, 0)


def _inside(path: Path) -> tuple[np.ndarray, ...]:
    """Brain and ventricles of the MRI, by its labels."""
    labels = _slice(path)
    return (labels >= Tissue.CSF).astype(float), (labels == Tissue.VENTRICLE).astype(float)


def _slice(path: Path) -> np.ndarray:
    return _middle(sitk.DICOMOrient(_read(path), "LPS"))


def _read(path: Path) -> sitk.Image:
    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(f"{path}: cannot be read; run make demo first") from error


def _middle(volume: sitk.Image) -> Any:
    values = sitk.GetArrayFromImage(volume)
    return values[len(values) // 2]
