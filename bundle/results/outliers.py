"""Which results of many stand out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

OUTLIER = 3.5
"""Modified z-score from which on a value is an outlier (Iglewicz and Hoaglin, 1993)."""

FEWEST = 5
"""Results of a modality that there have to be."""

_TO_STD = 0.6745
"""Median absolute deviation of a normal distribution with standard deviation 1."""

_MEAN_TO_STD = 1.2533
"""By what its mean absolute deviation is multiplied to give the standard deviation."""


@dataclass(frozen=True)
class Measure:
    """How a measure is compared.

    Attributes:
        worse: 1 where a larger value is the worse one, else -1.
        least: standard deviation that counts at least, so that nearly equal results have no
            outliers.
    """

    worse: int
    least: float


MEASURES = {
    "mi_after": Measure(-1, 0.01),
    "overlap": Measure(-1, 0.01),
    "displacement_mean_mm": Measure(1, 0.1),
    "displacement_max_mm": Measure(1, 0.1),
    "uncertainty_p95_mm": Measure(1, 0.1),
}
"""Those of :data:`bundle.results.summary.COLUMNS` that are compared."""


def outlier_scores(rows: Sequence[Mapping[str, object]]) -> list[dict[str, float] | None]:
    """How far each row is from the others of its modality, by measure.

    Args:
        rows: of :func:`bundle.results.summary.summary_rows`.

    Returns:
        of each row the modified z-scores of the measures in which it is on the worse side of the
        median; None where there are too few to compare.
    """
    groups: dict[object, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        if all(isinstance(row.get(name), (int, float)) for name in ("mi_after", "overlap")):
            groups[row.get("modality")].append(number)
    found: list[dict[str, float] | None] = [None] * len(rows)
    for numbers in groups.values():
        if len(numbers) < FEWEST:
            continue
        scores = _group_scores([rows[number] for number in numbers])
        for number, one in zip(numbers, scores, strict=True):
            found[number] = one
    return found


def _group_scores(rows: Sequence[Mapping[str, object]]) -> list[dict[str, float]]:
    """Of rows of one modality, see :func:`outlier_scores`."""
    found: list[dict[str, float]] = [{} for _ in rows]
    for name, measure in MEASURES.items():
        known = [
            number for number, row in enumerate(rows) if isinstance(row.get(name), (int, float))
        ]
        if len(known) < FEWEST:
            continue
        scores = _scores([rows[number][name] for number in known], measure)
        for number, score in zip(known, scores.tolist(), strict=True):
            if score > 0:
                found[number][name] = round(score, 2)
    return found


def _scores(values: Sequence[object], measure: Measure) -> np.ndarray:
    """Modified z-scores, above 0 on the worse side of the median.

    Where more than half of the values are equal, their median absolute deviation is 0 and tells
    nothing: there the mean absolute deviation stands for it, as Iglewicz and Hoaglin have it.
    """
    away = np.array(values, dtype=np.float64)
    away -= np.median(away)
    spread = np.median(np.abs(away)) / _TO_STD or _MEAN_TO_STD * np.abs(away).mean()
    return measure.worse * away / max(spread, measure.least)
