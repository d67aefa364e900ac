"""The table of a list of pairs, and its page."""

import csv
import re

from bundle.results.recognised import is_ours
from bundle.results.summary import summary_rows, write_index, write_summary

RECORDS = [{"id": "a b", "output_dir": "x"}, {"id": "<c>", "output_dir": "y"}, {"id": "d"}]
STATES = {"a b": "done", "<c>": "no such file", "d": "not done"}


def test_the_page_leads_to_those_of_the_pairs(tmp_path):
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "report.html").touch()
    rows = summary_rows(RECORDS, STATES)
    write_summary(rows, tmp_path / "summary.csv")
    write_index(rows, tmp_path / "summary.html")
    assert all(is_ours(tmp_path / f"summary.{ending}") for ending in ("csv", "html"))
    page = (tmp_path / "summary.html").read_text(encoding="utf-8")
    assert re.findall('href="([^"]*)"', page) == ["a%20b/report.html"]
    assert "3 pairs, 1 done, 1 failed" in page
    assert "&lt;c&gt;" in page and "<c>" not in page and "no such file" in page
    with (tmp_path / "summary.csv").open(encoding="utf-8") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["done", "failed", "not done"]


def test_tables_that_begin_otherwise_are_not_ours(tmp_path):
    path = tmp_path / "summary.csv"
    for text, ours in (
        ("id,status,mine\n", False),
        ("x\nid,status,modality,mi_start", False),
        ("", True),
    ):
        path.write_text(text, encoding="utf-8")
        assert is_ours(path) is ours
