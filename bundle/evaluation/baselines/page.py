"""The page about the baselines, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bundle.domain import LEVELS, MODALITIES
from bundle.evaluation.baselines.compare import methods_in
from bundle.evaluation.files import case_notes
from bundle.evaluation.tables.page import Results, number, table

REGISTRATION = {"EPE": 2, "RES": 2, "MAE": 1, "NCC": 3, "folding": 4, "seconds": 2}
FUSION = {"SD": 1, "Q": 3, "VIF": 3, "SSIM": 3, "VIF_A": 3, "VIF_B": 3, "SSIM_A": 3, "SSIM_B": 3}
RULE = " + maximum"


def page(
    summary: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    made: str,
    image_size: int,
) -> str:
    """Tables of registration and fusion by modality and level.

    Args:
        summary: from :func:`bundle.metrics.summary.summarise` of the rows.
        rows: of :func:`bundle.evaluation.baselines.compare.compare`.
        made: how, when and out of what the figures were made.
        image_size: pixels per side of the pictures, in which errors are given.

    Returns:
        Markdown.
    """
    results, names = Results(summary), methods_in(rows)
    blocks = [
        "# Baselines",
        made,
        "Means over the pairs; measures as in `summary.md` of the evaluation (EPE and RES in px of "
        f"{image_size}; `_A`: against the fixed image, `_B`: against the aligned moving image). "
        "`seconds`: processor time of registering one pair on one thread.",
        *case_notes(rows),
        "## Registration",
    ]
    registered = [name.removesuffix(RULE) for name in names if name.endswith(RULE)]
    for modality in MODALITIES:
        lines = _lines(results, modality, [f"{n}{RULE}" for n in registered], REGISTRATION)
        blocks += _section(modality, lines, REGISTRATION)
    blocks.append("## Fusion")
    for modality in MODALITIES:
        blocks += _section(modality, _lines(results, modality, names, FUSION), FUSION)
    return "\n\n".join(blocks) + "\n"


def _lines(
    results: Results, modality: str, names: Sequence[str], measures: Mapping[str, int]
) -> list[list[str]]:
    lines = []
    for level in LEVELS:
        for name in names:
            stats = results.groups.get((modality, level, name))
            if stats:
                shown = name.removesuffix(RULE) if measures is REGISTRATION else name
                values = [
                    number(results.mean(modality, level, name, x), d) for x, d in measures.items()
                ]
                lines.append([shown, level, str(stats["SD"]["n"]), *values])
    return lines


def _section(
    modality: str, lines: Sequence[Sequence[str]], measures: Mapping[str, int]
) -> list[str]:
    """Heading and table; nothing where the modality has no pairs."""
    if not lines:
        return []
    return [f"### {modality}", table(["method", "level", "n", *measures], lines)]
