"""One page and one table of many registrations, those that a person should see first on top."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bundle.results.outliers import OUTLIER, outlier_scores
from bundle.results.page import write_page
from bundle.results.summary import COLUMNS, HEADINGS, shown

NAME = "group_registration"

TABLE = ("participant_id", *COLUMNS, "outlier_score", "outlier_measure")

DESCRIPTIONS = {
    "participant_id": "Subject",
    "id": "Name of the registered image",
    "status": "done, skipped (done before), not done or failed",
    "mi_start": "Mutual information in the head with the start alone, nats",
    "mi_after": "Mutual information in the head after registration, nats",
    "field_kept": "Whether the elastic field is part of the result",
    "uncertainty_p95_mm": "95th percentile of the uncertainty of the displacement",
    "folding": "Share of the head where the mapping folds",
    "overlap": "Share of the fixed head that the moving image covers",
    "remarks": "Warnings, or why it failed",
    "outlier_score": "Modified z-score of the worst measure among the images of the modality",
    "outlier_measure": "That measure",
}
"""Columns whose names do not say it all."""

FIRST = {"failed": 0, "not done": 1}


def write_group(
    rows: Sequence[Mapping[str, object]], reports: Mapping[str, Path], folder: Path
) -> None:
    """Write ``group_registration.html``, ``.tsv`` and ``.json``.

    What failed comes first, then what was not done, then outliers, the worst first.

    Args:
        rows: of :func:`bundle.results.summary.summary_rows`.
        reports: by id, where the measures of the registration are; the page has the same name, the
            thumbnail ``thumbnail`` in place of ``report``.
        folder: for the files; the reports lie below it.
    """
    scores = outlier_scores(rows)
    entries = [_entry(row, score) for row, score in zip(rows, scores, strict=True)]
    entries.sort(key=_order)
    with (folder / f"{NAME}.tsv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, TABLE, restval="n/a", delimiter="\t")
        table.writeheader()
        table.writerows({key: _cell(value) for key, value in entry.items()} for entry in entries)
    said = {name: {"Description": text} for name, text in DESCRIPTIONS.items()}
    (folder / f"{NAME}.json").write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    images = {name: _links(report, folder) for name, report in reports.items()}
    outliers = {row["id"]: _above(score) for row, score in zip(rows, scores, strict=True)}
    write_page(
        folder / f"{NAME}.html", "group.html", title="Registrations of a group", columns=TABLE[1:],
        rows=entries, images=images, limit=OUTLIER, outliers=outliers,
        headings=HEADINGS, shown=shown,
        counts={s: sum(e["status"] == s for e in entries) for s in ("done", "skipped", "failed")},
    )  # fmt: skip


def _entry(row: Mapping[str, object], scores: Mapping[str, float] | None) -> dict[str, object]:
    worst: tuple[object, str] = ("", "")
    if scores is not None:
        worst = max(((score, name) for name, score in scores.items()), default=(0.0, ""))
    participant = str(row["id"]).partition("_")[0]
    return {
        "participant_id": participant,
        **row,
        "outlier_score": worst[0],
        "outlier_measure": worst[1],
    }


def _above(scores: Mapping[str, float] | None) -> set[str]:
    """Columns of the page that are marked: measures that are outliers, and their worst score."""
    found = {name for name, score in (scores or {}).items() if score > OUTLIER}
    return found | {"outlier_score"} if found else found


def _order(entry: Mapping[str, Any]) -> tuple[int, float, bool, str]:
    score = entry["outlier_score"]
    place = FIRST.get(entry["status"], 2)
    return place, -(score or 0.0), not entry.get("remarks"), entry["id"]


def _cell(value: object) -> object:
    """A value for a table with tabs; none is ``n/a``, as BIDS writes it."""
    if value is None or value == "":
        return "n/a"
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(str(value).split()) if isinstance(value, str) else value


def _links(report: Path, folder: Path) -> dict[str, str]:
    """The page of a registration and its thumbnail, as far as they are there."""
    found = {}
    page = report.with_suffix(".html")
    picture = report.with_name(report.name.replace("desc-report", "desc-thumbnail"))
    picture = picture.with_suffix(".png")
    if page.is_file():
        found["page"] = quote(page.relative_to(folder).as_posix())
    if picture.is_file():
        found["thumbnail"] = base64.b64encode(picture.read_bytes()).decode()
    return found
