import math

import numpy as np
import pytest
from scipy import stats

from bundle.metrics.summary import mean_interval, summarise


def row(pair, case, level="small", name="ours", **measures):
    ids = {"modality": "CT", "level": level, "row": name, "case": case, "pair": pair}
    return ids | measures


def test_every_pair_a_case_is_the_ordinary_t_interval():
    values = [1.0, 4.0, 2.0, 8.0]
    interval = mean_interval(values, ["a", "b", "c", "d"])
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert interval[:2] == pytest.approx(expected)
    assert interval.over == "cases"


def test_cases_of_equal_size_give_the_t_interval_of_their_means():
    values, cases = [1.0, 3.0, 5.0, 9.0, 2.0, 2.0], ["a", "a", "b", "b", "c", "c"]
    means = [2.0, 7.0, 2.0]
    expected = stats.t.interval(0.95, 2, np.mean(means), stats.sem(means))
    assert mean_interval(values, cases)[:2] == pytest.approx(expected)


def test_one_case_falls_back_to_pairs_and_says_so():
    values = [1.0, 4.0, 2.0]
    interval = mean_interval(values, ["a"] * 3)
    expected = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert interval[:2] == pytest.approx(expected)
    assert interval.over == "pairs"
    assert mean_interval([1.0], ["a"]) is None


def test_statistics_and_worst_pair_by_direction():
    rows = [
        row("1", "a", EPE=1.0, Q=0.5),
        row("2", "a", EPE=4.0, Q=0.2),
        row("3", "b", EPE=1.0, Q=0.8),
    ]
    (group,) = summarise(rows)
    assert (group["modality"], group["level"], group["row"]) == ("CT", "small", "ours")
    epe, q = group["measures"]["EPE"], group["measures"]["Q"]
    assert (epe["mean"], epe["n"], epe["cases"]) == (2.0, 3, 2)
    assert epe["sd"] == pytest.approx(math.sqrt(3))
    assert (epe["worst"], epe["worst_pair"]) == (4.0, "2")
    assert (q["worst"], q["worst_pair"]) == (0.2, "2")
    assert epe["low"] < 2 < epe["high"]


def test_undefined_values_are_left_out():
    rows = [row("1", "a", Q=0.5, RES=math.nan), row("2", "b", Q=math.nan, RES=math.nan)]
    (group,) = summarise(rows)
    assert list(group["measures"]) == ["Q"]
    assert group["measures"]["Q"]["n"] == 1
    assert group["measures"]["Q"]["sd"] is None
    assert group["measures"]["Q"]["low"] is None


def test_groups_keep_their_order():
    rows = [
        row("1", "a", level=level, name=name, Q=0.5)
        for level in ("small", "aligned")
        for name in ("ours", "copy of fixed")
    ]
    order = [(group["level"], group["row"]) for group in summarise(rows)]
    assert order[:2] == [("small", "ours"), ("small", "copy of fixed")]
    assert len(order) == 4
