"""Statistics over pairs and cases of the per-pair measures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student

# Columns that say what a row is; all others are measures.
ID_COLUMNS = ("modality", "level", "row", "case", "pair")
GROUP_COLUMNS = ("modality", "level", "row")
_LOWER_IS_BETTER = ("EPE", "RES", "MAE", "TRE", "folding", "displacement", "Delta_E")


class Interval(NamedTuple):
    """95 % interval of a mean.

    Attributes:
        low: lower end.
        high: upper end.
        over: "cases", or "pairs" where there is one case only: pairs of one case are neighbours,
            so that interval is too narrow and says nothing about other patients.
    """

    low: float
    high: float
    over: str


def lower_is_better(measure: str) -> bool:
    """Whether small values of the measure are good.

    Args:
        measure: column name.

    Returns:
        True for errors (``EPE...``, ``RES``, ``MAE``, ``TRE...``, ``folding``, ``displacement``,
        ``Delta_E``).
    """
    return measure.startswith(_LOWER_IS_BETTER)


def measure_columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the measures in order of first appearance.

    Args:
        rows: one mapping per pair, level and method.

    Returns:
        all keys but ``ID_COLUMNS``.
    """
    seen = dict.fromkeys(name for row in rows for name in row)
    return [name for name in seen if name not in ID_COLUMNS]


def mean_interval(values: Sequence[float], cases: Sequence[Any]) -> Interval | None:
    """95 % Student interval of the mean over pairs, with whole cases as the independent units.

    The pairs of a case are correlated, so the standard error is the cluster-robust one: with m
    cases, n pairs and e_c the sum of a case's deviations from the mean, its square is
    m / (m - 1) * sum(e_c^2) / n^2, and t has m - 1 degrees of freedom. Every pair a case of its
    own gives the ordinary t-interval. Nothing is drawn at random.

    Args:
        values: one value per pair, finite.
        cases: the case (patient) of each.

    Returns:
        the interval, over pairs where all belong to one case; None for fewer than two values.
    """
    if len(values) < 2:
        return None
    over = "cases" if len(set(cases)) > 1 else "pairs"
    units = list(cases) if over == "cases" else list(range(len(values)))
    mean = float(np.mean(values))
    sums: dict[Any, float] = dict.fromkeys(units, 0.0)
    for unit, value in zip(units, values, strict=True):
        sums[unit] += value - mean
    count = len(sums)
    error = math.sqrt(count / (count - 1) * sum(s * s for s in sums.values())) / len(values)
    half = float(student.ppf(0.975, count - 1)) * error
    return Interval(mean - half, mean + half, over)


def summarise(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean, spread, interval and worst case of every measure per modality, level and method.

    Args:
        rows: one mapping per pair, level and method: ``modality``, ``level``, ``row`` (the
            method), ``case`` (patient; the pair itself where missing), ``pair``, then measures.

    Returns:
        one dictionary per modality, level and row, in order of first appearance, with ``measures``:
        name to ``mean``, ``sd`` (sample; None for one value), ``n``, ``cases``, ``low``, ``high``
        and ``interval_over`` (see :func:`mean_interval`; None where undefined), ``worst`` and
        ``worst_pair``. Undefined (NaN) values are left out of everything, n included; a measure
        without any value is left out.
    """
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in GROUP_COLUMNS), []).append(row)
    names = measure_columns(rows)
    summary = []
    for key, members in groups.items():
        measures = {name: _summarise_measure(name, members) for name in names}
        present = {name: values for name, values in measures.items() if values}
        summary.append({**dict(zip(GROUP_COLUMNS, key, strict=True)), "measures": present})
    return summary


def _summarise_measure(
    name: str, members: Sequence[Mapping[str, Any]]
) -> dict[str, float | int | str | None]:
    """Statistics of one measure in one group; empty where no value is defined."""
    defined = [row for row in members if math.isfinite(row.get(name, math.nan))]
    if not defined:
        return {}
    values = [float(row[name]) for row in defined]
    cases = [row.get("case", row["pair"]) for row in defined]
    interval = mean_interval(values, cases)
    worst = int(np.argmax(values) if lower_is_better(name) else np.argmin(values))
    return {
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "n": len(values),
        "cases": len(set(cases)),
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "interval_over": interval.over if interval else None,
        "worst": values[worst],
        "worst_pair": str(defined[worst]["pair"]),
    }
