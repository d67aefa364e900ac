"""Writers of metrics.csv, summary.json and summary.md: no times, no paths, fixed formats."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bundle.metrics.summary import ID_COLUMNS, lower_is_better, measure_columns

Summary = Sequence[Mapping[str, Any]]

_DECIMALS = 6
_NOTE = """\
Means ± sample standard deviation over pairs; n = pairs (cases). `_A`: against the fixed image,
`_B`: against the aligned moving image. Below each table, folded: 95 % Student intervals with whole
cases as units (cluster-robust) and the worst pair. Where there is one case only, the interval is
over its pairs, is marked `*`, and says nothing about other patients.
"""


def write_csv(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write one line per pair, level and method.

    Columns: those of ``ID_COLUMNS`` that occur, then the measures in order of first appearance.
    Numbers have six decimals; undefined and missing ones are empty.

    Args:
        rows: see :func:`bundle.metrics.summary.summarise`.
        path: file to write.
    """
    ids = [name for name in ID_COLUMNS if any(name in row for row in rows)]
    measures = measure_columns(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*ids, *measures])
    for row in rows:
        numbers = [_decimal(row.get(name, math.nan)) for name in measures]
        writer.writerow([*(row.get(name, "") for name in ids), *numbers])
    path.write_text(text.getvalue(), encoding="utf-8")


def write_json(content: Summary | Mapping[str, Any], path: Path) -> None:
    """Write a summary or facts about it, numbers rounded to six decimals.

    Args:
        content: such as that of :func:`bundle.metrics.summary.summarise`.
        path: file to write.
    """
    text = json.dumps(_rounded(content), indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_markdown(
    summary: Summary, path: Path, title: str = "Evaluation", notes: Sequence[str] = ()
) -> None:
    """Write readable tables by modality and level: fusion, registration, single fields.

    Args:
        summary: from :func:`bundle.metrics.summary.summarise`.
        path: file to write.
        title: the page's heading.
        notes: paragraphs about the data, above the tables.
    """
    blocks = [f"# {title}", _NOTE.rstrip(), *notes]
    sections = dict.fromkeys((group["modality"], group["level"]) for group in summary)
    for modality, level in sections:
        members = [g for g in summary if (g["modality"], g["level"]) == (modality, level)]
        blocks.append(f"## {modality}, {level}")
        for heading, belongs in _KINDS.items():
            names = dict.fromkeys(n for g in members for n in g["measures"] if belongs(n))
            if names:
                blocks += _tables(heading, members, list(names))
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def _is_field(name: str) -> bool:
    return "_flow" in name


def _is_registration(name: str) -> bool:
    extra = name.startswith(("NCC", "SSIM_warped", "min_jacobian", "Dice"))
    color = name.startswith("Delta_E")
    return not _is_field(name) and not color and (extra or lower_is_better(name))


def _is_fusion(name: str) -> bool:
    return not _is_field(name) and not _is_registration(name)


_KINDS = {"Fusion": _is_fusion, "Registration": _is_registration, "Single fields": _is_field}


def _tables(heading: str, members: Summary, names: list[str]) -> list[str]:
    """The means of one kind of measures, and their intervals and worst pairs folded below."""
    shown = [g for g in members if any(name in g["measures"] for name in names)]
    means = [["row", "n", *(f"{name} {'↓' if lower_is_better(name) else '↑'}" for name in names)]]
    for group in shown:
        stats = [group["measures"].get(name) for name in names]
        counts = next(s for s in stats if s)
        n = f"{counts['n']} ({counts['cases']})"
        means.append([group["row"], n, *(_mean(s) for s in stats)])
    details = [["row", "measure", "n", "mean", "95 % interval", "worst", "worst pair"]]
    details += [line for group in shown for line in _detail_lines(group, names)]
    folded = "<details><summary>95 % intervals and worst pairs</summary>"
    return [f"### {heading}", _grid(means), folded, _grid(details), "</details>"]


def _detail_lines(group: Mapping[str, Any], names: list[str]) -> Iterator[list[str]]:
    for name in names:
        s = group["measures"].get(name)
        if s:
            n, mean = f"{s['n']} ({s['cases']})", _short(s["mean"])
            worst = [_short(s["worst"]), s["worst_pair"]]
            yield [group["row"], name, n, mean, _interval(s), *worst]


def _interval(stats: Mapping[str, Any]) -> str:
    if stats["low"] is None:
        return "–"
    mark = "*" if stats["interval_over"] == "pairs" else ""
    return f"{_short(stats['low'])} to {_short(stats['high'])}{mark}"


def _mean(stats: Mapping[str, Any] | None) -> str:
    if not stats:
        return "–"
    spread = "" if stats["sd"] is None else f" ± {_short(stats['sd'])}"
    return f"{_short(stats['mean'])}{spread}"


def _short(value: float) -> str:
    """Three decimals below 10, one above; small ones (folding) keep two significant digits."""
    if value != 0 and abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _grid(lines: Sequence[Sequence[str]]) -> str:
    header, *body = lines
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *body))


def _decimal(value: float) -> str:
    # adding 0.0 turns a rounded -0.0 into 0.0
    return f"{round(value, _DECIMALS) + 0.0:.{_DECIMALS}f}" if math.isfinite(value) else ""


def _rounded(value: Any) -> Any:
    """Copy of nested lists and mappings with every float rounded."""
    if isinstance(value, float):
        return round(value, _DECIMALS) + 0.0
    if isinstance(value, Mapping):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
