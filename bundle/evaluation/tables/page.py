"""Tables of the results page, in Markdown, out of an evaluation's ``summary.json``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from bundle.domain import LEVELS, MODALITIES
from bundle.evaluation.reference_rows import CONTROL, METHOD, NO_REGISTRATION, TRUE_FIELD
from bundle.evaluation.tables.notes import (
    ANATOMY_NOTE,
    BASELINES,
    BRIGHT_NOTE,
    COLOR_NOTE,
    OTHER_DIGITS,
    PICTURES,
    PICTURES_NOTE,
    SPREAD,
    ablation_note,
    origin_note,
)
from bundle.evaluation.tables.paper_rows import ABLATION, MEASURES, MISALIGNED, REGISTERED

SOURCES = ("SD", "Q", "VIF_A", "VIF_B", "SSIM_A", "SSIM_B", "VIFF", "MEF_SSIM")
BASELINE = {"EPE": 2, "RES": 2, "MAE": 1, "NCC": 3, "Q": 3, "VIF": 3, "SSIM": 3, "seconds": 2}
ANATOMY = {"Dice": 3, "TRE": 2}


class Results:
    """Means of an evaluation by modality, level and row.

    Args:
        summary: content of ``summary.json``.
    """

    def __init__(self, summary: Sequence[Mapping[str, Any]]) -> None:
        self.groups = {(g["modality"], g["level"], g["row"]): g["measures"] for g in summary}
        self.rows = list(dict.fromkeys(g["row"] for g in summary))

    def mean(self, modality: str, level: str, row: str, measure: str) -> float | None:
        """Mean of one measure, None where it is not defined."""
        stats = self.groups.get((modality, level, row), {}).get(measure)
        return None if stats is None else float(stats["mean"])


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))


def number(value: float | None, decimals: int = 3) -> str:
    """A rounded number, or a dash."""
    return "–" if value is None else f"{value:.{decimals}f}"


def paper_table(results: Results, level: str, printed: Mapping[str, Sequence[float]]) -> str:
    """Table 1 or 2: the paper's rows, then ours at one level."""
    header = ["method", *(f"{m} {x}" for m in MODALITIES for x in MEASURES)]
    lines = [[f"{name} (paper)", *(number(v, 2) for v in row)] for name, row in printed.items()]
    for row in (METHOD, NO_REGISTRATION, "copy of fixed", "copy of moving", TRUE_FIELD):
        values = [results.mean(m, level, row, x) for m in MODALITIES for x in MEASURES]
        lines.append([f"**{row}**" if row == METHOD else row, *(number(v, 2) for v in values)])
    return table(header, lines)


def ablation_table() -> str:
    """Table 3 as printed."""
    lines = [[name, *(number(v, 2) for v in row)] for name, row in ABLATION.items()]
    return table(["paper", *MEASURES], lines)


def variant_table(results: Results, measures: Mapping[str, int]) -> str:
    """Every row by modality and level, where it has one of the measures.

    Args:
        results: of the ablation or of another comparison.
        measures: name to decimals.

    Returns:
        Markdown; empty if no row has any.
    """
    lines = []
    for modality in MODALITIES:
        for level in LEVELS:
            for row in results.rows:
                values = [results.mean(modality, level, row, name) for name in measures]
                if any(value is not None for value in values):
                    cells = [number(v, d) for v, d in zip(values, measures.values(), strict=True)]
                    lines.append([row, modality, level, *cells])
    return table(["method", "modality", "level", *measures], lines) if lines else ""


def only(results: Results, rows: Collection[str]) -> Results:
    """The same means, of some rows."""
    kept = Results([])
    kept.groups = {key: group for key, group in results.groups.items() if key[2] in rows}
    kept.rows = [row for row in results.rows if row in rows]
    return kept


def registration_table(results: Results) -> str:
    """Errors before and after registration, with the control, by modality and level."""
    header = ["", "level", "EPE, px", "control", "RES, px", "MAE", "NCC", "folding", "moved, px"]
    lines = []
    for modality in MODALITIES:
        for level in LEVELS:
            if (modality, level, METHOD) not in results.groups:
                continue
            pairs = [
                f"{number(results.mean(modality, level, NO_REGISTRATION, x), d)} → "
                f"{number(results.mean(modality, level, METHOD, x), d)}"
                for x, d in (("EPE", 2), ("RES", 2), ("MAE", 1), ("NCC", 3))
            ]
            control = number(results.mean(modality, level, CONTROL, "EPE"), 2)
            folding = number(results.mean(modality, level, METHOD, "folding"), 4)
            moved = number(results.mean(modality, level, METHOD, "displacement"), 2)
            lines.append([modality, level, pairs[0], control, *pairs[1:], folding, moved])
    return table(header, lines)


def field_table(results: Results) -> str:
    """EPE of the field handed out and of each of the ten fields by itself."""
    flows = [f"EPE_flow{k}" for k in range(1, 11)]
    header = ["", "level", "before", "ddf", *(f"flow {k}" for k in range(1, 11))]
    lines = []
    for modality in MODALITIES:
        for level in LEVELS:
            before = results.mean(modality, level, NO_REGISTRATION, "EPE")
            values = [results.mean(modality, level, METHOD, x) for x in ("EPE", *flows)]
            if before is not None:
                lines.append([modality, level, *(number(v, 2) for v in (before, *values))])
    return table(header, lines)


def fusion_table(results: Results, modality: str, level: str) -> str:
    """Every row of one modality and level with the per-source measures."""
    lines = []
    for row in results.rows:
        values = [results.mean(modality, level, row, x) for x in SOURCES]
        if values[0] is not None:
            lines.append([row, *(number(v, 1 if i == 0 else 3) for i, v in enumerate(values))])
    return table(["row", *SOURCES], lines)


def page(
    results: Results,
    command: str,
    run: Mapping[str, Any],
    own_weights: str | None,
    ablation: Results | None = None,
    baselines: Results | None = None,
    phantom: Results | None = None,
    pictures: Collection[str] = (),
    budget: Mapping[str, Any] | None = None,
) -> str:
    """The whole page; what was not measured is left out.

    Args:
        results: of the evaluation.
        command: the command that made the evaluation.
        run: what was evaluated, ``run.json`` of the evaluation; empty where it has none.
        own_weights: of this repository, see :func:`bundle.evaluation.tables.notes.origin_note`.
        ablation: of ``scripts.ablation``.
        baselines: of ``scripts.baselines``.
        phantom: of an evaluation on the phantom, where the anatomy is known.
        pictures: names of the files in ``images`` beside the page.
        budget: of the ablation, see :func:`bundle.evaluation.tables.notes.ablation_note`.

    Returns:
        Markdown.
    """
    blocks = [
        "# Results",
        origin_note(run, own_weights),
        f"```bash\n{command}\n```",
        *run.get("notes", ()),
        SPREAD,
        "![EPE by level and field](images/epe.png)",
        "## Registration",
        "No registration → after. `control`: EPE with another patient's fixed image (another "
        "slice, where there is one patient). `moved`: mean displacement in the head.",
        registration_table(results),
        "## Each field by itself (EPE, px)",
        field_table(results),
        "## Table 1: the pair is registered (level aligned)",
        OTHER_DIGITS,
        paper_table(results, "aligned", REGISTERED),
        "## Table 2: registration and fusion (level small)",
        paper_table(results, "small", MISALIGNED),
        "## Table 3: ablation, as the paper prints it",
        ablation_table(),
        *_ours(ablation, budget),
        *_extra(
            "## Other registrations of the same pairs", BASELINES, _maximum(baselines), BASELINE
        ),
        *_extra("## Anatomy, on the phantom", ANATOMY_NOTE, phantom, ANATOMY),
        *_pictures(pictures),
        *_extra("## Colour", COLOR_NOTE, results, {"Delta_E": 2}),
        *_extra("## Bone", BRIGHT_NOTE, results, {"Bright": 3}),
        "## Fusion per source",
        "![Fusion measures by method](images/fusion.png)",
    ]
    for level in list(LEVELS)[1:]:  # all but aligned
        for modality in MODALITIES:
            if (modality, level, METHOD) in results.groups:
                blocks += [f"### {modality}, {level}", fusion_table(results, modality, level)]
    return "\n\n".join(blocks) + "\n"


def _ours(ablation: Results | None, budget: Mapping[str, Any] | None) -> list[str]:
    measures = {"SD": 2, "Q": 3, "VIF": 3, "SSIM": 3, "EPE": 2}
    return _extra("", ablation_note(budget), ablation, measures)[1:]


def _pictures(there: Collection[str]) -> list[str]:
    """The pictures that were drawn, beneath one heading."""
    shown = [f"![{title}](images/{name})" for name, title in PICTURES.items() if name in there]
    return ["## The phantom in pictures", PICTURES_NOTE, *shown] if shown else []


def _maximum(baselines: Results | None) -> Results | None:
    """Fusion by the maximum is enough to compare registrations."""
    if baselines is None:
        return None
    return only(baselines, [row for row in baselines.rows if row.endswith(" + maximum")])


def _extra(
    heading: str, note: str, results: Results | None, measures: Mapping[str, int]
) -> list[str]:
    """A section, or nothing where no row has the measures."""
    text = variant_table(results, measures) if results else ""
    return [heading, note, text] if text else []
