"""The tables of a comparison of volumes."""

import csv

from bundle.evaluation.checks.volume_table import FILES, Row, summary, write_tables


def row(seed=0, method="shipped", mean=2.0, **values):
    rest = {"p95": 4.0, "folded": 0.0, "kept": True, "within": 0.9, "inverted": 1.0}
    rest |= {"tre": None, "dice": None}
    clocks = {"seconds": 7.0, "processor_seconds": 3.0}
    return Row("head CT", "spatial", seed, method, mean, **{**rest, **clocks, **values})


def test_seconds_are_in_a_file_of_their_own(tmp_path):
    rows = [row(), row(method="ants", kept=None, within=None, folded=0.25)]
    write_tables(rows, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    errors, times = (list(csv.DictReader((tmp_path / n).open())) for n in FILES[:2])
    assert "seconds" not in errors[0] and times[0]["processor_seconds"] == "3.000000"
    assert [r["kept"] for r in errors] == ["1", ""] and errors[1]["folded"] == "0.250000"
    assert {name: errors[1][name] for name in ("tre", "within")} == {"tre": "", "within": ""}
    assert [r["inverted"] for r in errors] == ["1.000000", "1.000000"]
    assert (errors[0]["kind"], errors[0]["method"]) == ("head CT", "shipped")


def test_the_summary_has_means_by_kind_misalignment_and_method():
    start = row(method="start", kept=None, within=None, inverted=None)
    rows = [row(), start, row(1, mean=3.0, kept=False, inverted=0.5)]
    errors, seconds = summary(rows).split("## Seconds")
    lines = [line.split(" | ") for line in errors.splitlines()]
    assert lines[2] == [
        "| head CT, spatial",
        "2",
        "shipped",
        "2.50",
        "4.00",
        "0.000",
        "1 of 2",
        "90",
        "75.0 |",
    ]
    assert lines[3] == ["| head CT, spatial", "1", "start", "2.00", "4.00", "0.000", "", "", " |"]
    assert "| head CT, spatial | shipped | 7.0 | 3.0 |" in seconds


def test_a_line_says_what_is_odd_only_where_it_is():
    assert "folded" not in str(row()) and "dropped" not in str(row())
    line = str(row(kept=False, folded=0.001, tre=1.25))
    assert "field dropped" in line and "folded 0.100 %" in line and "landmarks 1.25 mm" in line
