"""The table of a comparison of registrations of volumes."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

KEYS = ("kind", "misalignment", "seed", "method")
"""What names a row."""

TIMES = ("seconds", "processor_seconds")

FILES = ("accuracy.csv", "times.csv", "summary.md")
"""What is written: errors, seconds, and the means of both."""


@dataclass(frozen=True)
class Row:
    """One method on one misaligned pair.

    Attributes:
        kind: of the pair, such as ``head CT``.
        misalignment: its name.
        seed: of pair and misalignment.
        method: its name.
        mean: error in mm, mean over the brain.
        p95: its 95th percentile.
        folded: share of the fixed grid's voxels with a Jacobian determinant of 0 or less.
        kept: of the product whether its guard kept the field.
        within: share of the brain whose error lies below the stated bound.
        inverted: of the product the share of the head that transform and inverse bring back.
        tre: mean error of landmarks in mm, where they are known.
        dice: mean over the labels, where they are known.
        seconds: elapsed, start included.
        processor_seconds: of all threads together; other work on the machine does not count.
    """

    kind: str
    misalignment: str
    seed: int
    method: str
    mean: float
    p95: float
    folded: float
    kept: bool | None
    within: float | None
    inverted: float | None
    tre: float | None
    dice: float | None
    seconds: float
    processor_seconds: float

    def __str__(self) -> str:
        keys = f"{self.kind}, {self.misalignment}, seed {self.seed}"
        parts = [f"{keys:<34} {self.method:<19} {self.mean:6.2f} mm, 95 % {self.p95:6.2f}"]
        parts += [f"folded {100 * self.folded:.3f} %"] if self.folded else []
        parts += ["field dropped"] if self.kept is False else []
        parts += [] if self.within is None else [f"within {100 * self.within:.0f} %"]
        parts += [] if self.inverted is None else [f"inverted {100 * self.inverted:.1f} %"]
        parts += [] if self.tre is None else [f"landmarks {self.tre:.2f} mm"]
        return f"{', '.join(parts)}, {self.processor_seconds:.1f} s"


def write_tables(rows: Sequence[Row], folder: Path) -> None:
    """Write :data:`FILES`; seconds are in a file of their own, so that the other is repeatable.

    Args:
        rows: in any order.
        folder: where to.
    """
    measures = [f.name for f in fields(Row) if f.name not in (*KEYS, *TIMES)]
    _write_csv(rows, (*KEYS, *measures), folder / FILES[0])
    _write_csv(rows, (*KEYS, *TIMES), folder / FILES[1])
    text = f"# Accuracy of volumes\n\n{summary(rows)}\n"
    (folder / FILES[2]).write_text(text, encoding="utf-8")


def summary(rows: Sequence[Row]) -> str:
    """Means by kind of pair, misalignment and method, as tables in Markdown; seconds come last.

    Args:
        rows: in any order.
    """
    header = ("pairs", "n", "method", "mean, mm", "95th percentile, mm", "folded, %", "kept",
              "within, %", "inverted, %")  # fmt: skip
    lines: list[tuple[str, ...]] = [header]
    seconds: list[tuple[str, ...]] = [("pairs", "method", "elapsed", "processor")]
    for (kind, misalignment, method), group in _groups(rows):
        name = f"{kind}, {misalignment}"
        lines.append(
            (name, str(len(group)), method, _mean(group, "mean"), _mean(group, "p95"),
             _mean(group, "folded", "{:.3f}", 100.0), _kept(group),
             _mean(group, "within", "{:.0f}", 100.0), _mean(group, "inverted", "{:.1f}", 100.0))
        )  # fmt: skip
        seconds.append((name, method, *(_mean(group, clock, "{:.1f}") for clock in TIMES)))
    return f"{_markdown(lines, 3)}\n\n## Seconds\n\n{_markdown(seconds, 2)}"


def _groups(rows: Sequence[Row]) -> Iterable[tuple[tuple[str, str, str], list[Row]]]:
    groups: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in rows:
        methods = groups.setdefault((row.kind, row.misalignment), {})
        methods.setdefault(row.method, []).append(row)
    for (kind, misalignment), methods in groups.items():
        for method, members in methods.items():
            yield (kind, misalignment, method), members


def _mean(group: Sequence[Row], name: str, form: str = "{:.2f}", scale: float = 1.0) -> str:
    values = [getattr(row, name) for row in group if getattr(row, name) is not None]
    return form.format(scale * float(np.mean(values))) if values else ""


def _kept(group: Sequence[Row]) -> str:
    known = [row.kept for row in group if row.kept is not None]
    return f"{sum(known)} of {len(known)}" if known else ""


def _markdown(lines: Sequence[Sequence[str]], texts: int) -> str:
    """A table whose columns after the first ``texts`` are numbers."""
    rule = ["---"] * texts + ["---:"] * (len(lines[0]) - texts)
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))


def _write_csv(rows: Sequence[Row], names: Sequence[str], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(names)
        table.writerows([_cell(asdict(row)[name]) for name in names] for row in rows)


def _cell(value: object) -> object:
    """Six decimals, as often the last digits depend on the machine; 0 and 1 for no and yes."""
    if isinstance(value, bool):
        return int(value)
    return f"{value:.6f}" if isinstance(value, float) else value
