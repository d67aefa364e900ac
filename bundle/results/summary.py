"""One table of what became of the pairs of a run."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bundle.results.page import short, write_page
from bundle.results.whole_file import whole_file

LINE = 10_000
"""Bytes of a line of the table at most."""

TITLE = "Registered pairs"
"""Of the page."""

COLUMNS = (
    "id",
    "status",
    "modality",
    "mi_start",
    "mi_after",
    "field_kept",
    "displacement_mean_mm",
    "displacement_max_mm",
    "uncertainty_p95_mm",
    "folding",
    "overlap",
    "seconds",
    "remarks",
)

HEADINGS = {
    "id": "image",
    "mi_start": "mutual information, start",
    "mi_after": "mutual information, after",
    "field_kept": "elastic field kept",
    "displacement_mean_mm": "mean displacement (mm)",
    "displacement_max_mm": "largest displacement (mm)",
    "uncertainty_p95_mm": "uncertainty, 95 % below (mm)",
    "folding": "share folded",
    "seconds": "time (s)",
    "outlier_score": "modified z-score",
    "outlier_measure": "worst measure",
}
"""What pages call the columns whose names are no words."""


def shown(row: Mapping[str, object], name: str) -> str:
    """A value of the table for people."""
    value = row.get(name, "")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if name == "seconds":
            return f"{value:.0f}"
        return f"{value:.1f}" if name.endswith("_mm") else short(value)
    return HEADINGS.get(str(value), str(value)) if name == "outlier_measure" else str(value)


def summary_rows(
    records: Sequence[Mapping[str, str]], states: Mapping[str, str]
) -> list[dict[str, object]]:
    """The lines of the table.

    Args:
        records: of the pairs, with ``id`` and, unless they were unusable, ``output_dir``, or
            ``report_file`` where the measures lie elsewhere.
        states: by id: ``done``, ``skipped``, ``not done``, or the message of what failed.
    """
    return [_row(record, states[record["id"]]) for record in records]


def write_summary(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """Write the table.

    Args:
        rows: of :func:`summary_rows`.
        path: the CSV file; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        whole_file(path, LINE * (1 + len(rows)), overwrite=True) as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.DictWriter(file, COLUMNS, restval="")
        table.writeheader()
        table.writerows(rows)


def write_index(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """Write the table as a page that leads to the pages of the pairs beside it.

    Args:
        rows: of :func:`summary_rows`.
        path: the ``.html`` file, in the folder that holds the pairs' folders.
    """
    ids = [str(row["id"]) for row in rows]
    links = {name: f"{quote(name)}/report.html" for name in ids if _page(path, name).is_file()}
    write_page(
        path, "index.html", title=TITLE, columns=COLUMNS, rows=rows, links=links,
        headings=HEADINGS, shown=shown,
        done=sum(row["status"] == "done" for row in rows),
        failed=sum(row["status"] == "failed" for row in rows),
    )  # fmt: skip


def _page(path: Path, name: str) -> Path:
    return path.parent / name / "report.html"


def _row(record: Mapping[str, str], state: str) -> dict[str, object]:
    if state not in ("done", "skipped", "not done"):
        return {"id": record["id"], "status": "failed", "remarks": state}
    row: dict[str, object] = {"id": record["id"], "status": state}
    report = Path(record.get("report_file") or Path(record.get("output_dir", "")) / "report.json")
    if state == "not done" or not report.is_file():  # pictures have none
        return row
    try:
        return row | _facts(json.loads(report.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return row | {"remarks": f"{report}: cannot be read; do this pair again with --overwrite"}


def _facts(found: Mapping[str, Any]) -> dict[str, object]:
    """What the table takes from a volume's ``report.json``."""
    return {
        "modality": found["modality"] or "",
        "mi_start": found["mutual_information"]["start"],
        "mi_after": found["mutual_information"]["after"],
        "field_kept": found["field_kept"],
        "displacement_mean_mm": found["displacement_mm"]["mean"],
        "displacement_max_mm": found["displacement_mm"]["max"],
        "uncertainty_p95_mm": found.get("uncertainty_mm", {}).get("p95", ""),
        "folding": found["jacobian"]["folding"],
        "overlap": found["overlap"],
        "seconds": found.get("seconds", ""),
        "remarks": " ".join(found["suspicious"]),
    }
