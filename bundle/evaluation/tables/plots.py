"""Plots of the results page."""

from __future__ import annotations

from pathlib import Path

from matplotlib import pyplot as plt

from bundle.domain import LEVELS, MODALITIES
from bundle.evaluation.reference_rows import METHOD, NO_REGISTRATION, TRUE_FIELD
from bundle.evaluation.tables.page import Results
from bundle.evaluation.tables.sheets import save

FIELDS = ("EPE", *(f"EPE_flow{k}" for k in range(1, 11)))
SOURCES = ("Q", "VIF_A", "VIF_B", "SSIM_A", "SSIM_B")


def plot_fields(results: Results, path: Path) -> None:
    """EPE before, of the field handed out and of each field, a panel per modality."""
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
    axes[0].set_ylabel("EPE, px of 256")
    axes[0].legend()
    save(figure, path)


def plot_fusion(results: Results, path: Path, level: str = "small") -> None:
    """Fusion measures of the method beside no registration and the true field."""
    figure, axes = plt.subplots(1, len(MODALITIES), figsize=(12, 3.6), sharey=True)
    rows = (NO_REGISTRATION, METHOD, TRUE_FIELD)
    for axis, modality in zip(axes, MODALITIES, strict=True):
        for shift, row in enumerate(rows):
            heights = [results.mean(modality, level, row, name) or 0.0 for name in SOURCES]
            places = [x + 0.27 * (shift - 1) for x in range(len(SOURCES))]
            axis.bar(places, heights, width=0.27, label=row)
        axis.set_xticks(range(len(SOURCES)), SOURCES)
        axis.set_title(f"{modality}, level {level}")
    axes[0].legend(fontsize=7)
    save(figure, path)
