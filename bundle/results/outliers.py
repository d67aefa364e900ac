"""Which results of many stand out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

WORSE = {
    "mi_after": -1,
    "overlap": -1,
    "displacement_mean_mm": 1,
    "displacement_max_mm": 1,
    "uncertainty_p95_mm": 1,
}
"""Measures of :data:`bundle.results.summary.COLUMNS`; 1 where a larger value is the worse one."""

OUTLIER = 3.5
"""Modified z-score from which on a value is an outlier (Iglewicz and Hoaglin, 1993)."""

FEWEST = 5
"""Results of a modality that there have to be."""

_TO_STD = 0.6745
"""Median absolute deviation of a normal distribution with standard deviation 1."""


def worst_scores(rows: Sequence[Mapping[str, object]]) -> list[tuple[float, str] | None]:
    """How far each row is from the others of its modality, in its worst measure.

    Args:
        rows: of :func:`bundle.results.summary.summary_rows`.

    Returns:
        of each row the modified z-score, 0 where it is on the better side of the median in all
        measures, and the measure; None where there are too few to compare.
    """
    groups: dict[object, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        if all(isinstance(row.get(name), (int, float)) for name in ("mi_after", "overlap")):
            groups[row.get("modality")].append(number)
    found: list[tuple[float, str] | None] = [None] * len(rows)
    for numbers in groups.values():
        if len(numbers) < FEWEST:
            continue
        for name, sign in WORSE.items():
            known = [n for n in numbers if isinstance(rows[n].get(name), (int, float))]
            if len(known) < FEWEST:
                continue
            scores = sign * _scores([rows[number][name] for number in known])
            for number, score in zip(known, scores, strict=True):
                worst = found[number] or (0.0, "")
                found[number] = (round(float(score), 2), name) if score > worst[0] else worst
    return found


def _scores(values: Sequence[object]) -> np.ndarray:
    """Modified z-scores; 0 where half of the values or more are equal."""
    away = np.array(values, dtype=np.float64)
    away -= np.median(away)
    spread = np.median(np.abs(away))
    return _TO_STD * away / spread if spread > 0 else np.zeros_like(away)
