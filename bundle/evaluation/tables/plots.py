"""Plots of the results page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bundle.domain import LEVELS, MODALITIES
from bundle.evaluation.reference_rows import METHOD, NO_REGISTRATION, TRUE_FIELD
from bundle.evaluation.tables.page import Results
from bundle.evaluation.tables.sheets import save

FIELDS = ("EPE", *(f"EPE_flow{k}" for k in range(1, 11)))
SOURCES = ("Q", "VIF_A", "VIF_B", "SSIM_A", "SSIM_B")


def plot_fields(results: Results, path: Path, image_size: int | None) -> None:
    """EPE before, of the field handed out and of each field, a panel per modality.

    Args:
        results: of an evaluation.
        path: PNG to write.
        image_size: pixels per side of its pictures; None where that is not known.
    """
    figure, axes = plt.subplots(1, len(MODALITIES), figsize=(12, 3.6), sharey=True)
    for axis, modality in zip(axes, MODALITIES, strict=True):
        for color, level in zip(("C7", "C0", "C1", "C3"), LEVELS, strict=True):
            values = [results.mean(modality, level, METHOD, name) for name in FIELDS]
            before = results.mean(modality, level, NO_REGISTRATION, "EPE")
            if before is None:
                continue
            axis.plot(range(len(FIELDS)), values, "o-", color=color, label=level, markersize=4)
            axis.axhline(before, color=color, linestyle=":", linewidth=1)
        axis.set_xticks(range(len(FIELDS)), ["ddf", *map(str, range(1, 11))])
        axis.set_title(f"{modality} (dotted: no registration)")
        axis.set_xlabel("field")
    axes[0].set_ylabel(f"EPE, px of {image_size}" if image_size else "EPE, px")
    _explain(axes)
    save(figure, path)


def plot_fusion(results: Results, path: Path, level: str = "small") -> None:
    """Fusion measures of the method beside no registration and the true field."""
    figure, axes = plt.subplots(1, len(MODALITIES), figsize=(12, 3.6), sharey=True)
    rows = (NO_REGISTRATION, METHOD, TRUE_FIELD)
    for axis, modality in zip(axes, MODALITIES, strict=True):
        for shift, row in enumerate(rows):
            heights = [results.mean(modality, level, row, name) for name in SOURCES]
            known = [(x, height) for x, height in enumerate(heights) if height is not None]
            places = [x + 0.27 * (shift - 1) for x, _ in known]
            if known:
                axis.bar(places, [height for _, height in known], width=0.27, label=row)
        axis.set_xticks(range(len(SOURCES)), SOURCES)
        axis.set_title(f"{modality}, level {level}")
    _explain(axes, fontsize=7)
    save(figure, path)


def _explain(axes: Sequence[Axes], fontsize: float | None = None) -> None:
    """The legend, in the first panel that shows something; the others say so where they do not."""
    filled = [axis for axis in axes if axis.has_data()]
    for axis in filled[:1]:
        axis.legend(fontsize=fontsize)
    for axis in axes:
        if axis not in filled:
            axis.text(0.5, 0.5, "not evaluated", ha="center", transform=axis.transAxes)
