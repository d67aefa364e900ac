import json
import math

import pytest

from bundle.metrics.summary import summarise
from bundle.metrics.tables import write_csv, write_json, write_markdown


@pytest.fixture
def rows():
    def row(name, pair, case, **measures):
        ids = {"modality": "CT", "level": "small", "row": name, "case": case, "pair": pair}
        return ids | measures

    return [
        row("copy of fixed", "20011", "case20", Q=0.5),
        row("copy of fixed", "20012", "case20", Q=0.75),
        row("ours", "20011", "case20", Q=0.1 + 0.2, EPE=1.5, EPE_flow1=2.0, folding=-1e-9),
        row("ours", "20012", "case20", Q=math.nan, EPE=12.25, EPE_flow1=3.0, folding=0.0004),
    ]


def test_csv_has_stable_columns_and_numbers(rows, tmp_path):
    write_csv(rows, tmp_path / "metrics.csv")
    assert (tmp_path / "metrics.csv").read_bytes() == (
        b"modality,level,row,case,pair,Q,EPE,EPE_flow1,folding\n"
        b"CT,small,copy of fixed,case20,20011,0.500000,,,\n"
        b"CT,small,copy of fixed,case20,20012,0.750000,,,\n"
        b"CT,small,ours,case20,20011,0.300000,1.500000,2.000000,0.000000\n"
        b"CT,small,ours,case20,20012,,12.250000,3.000000,0.000400\n"
    )


def test_json_is_strict_and_rounded(rows, tmp_path):
    write_json(summarise(rows), tmp_path / "summary.json")
    text = (tmp_path / "summary.json").read_text(encoding="utf-8")
    copy, ours = json.loads(text)
    assert copy["measures"]["Q"]["mean"] == 0.625
    assert ours["measures"]["Q"]["mean"] == 0.3
    assert ours["measures"]["Q"]["sd"] is None
    assert "NaN" not in text


def test_markdown_has_a_table_per_kind_with_interval_and_worst(rows, tmp_path):
    write_markdown(summarise(rows), tmp_path / "summary.md", title="Val")
    lines = (tmp_path / "summary.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# Val"
    headings = [line for line in lines if line.startswith("##")]
    assert headings == ["## CT, small", "### Fusion", "### Registration", "### Single fields"]
    assert "| row | n | Q ↑ |" in lines
    assert "| copy of fixed | 2 (1) | 0.625 ± 0.177 |" in lines
    assert "| row | n | EPE ↓ | folding ↓ |" in lines
    assert "| ours | 2 (1) | 6.875 ± 7.601 | 2.0e-04 ± 2.8e-04 |" in lines
    # 0.625 +- 12.706 * 0.125, over pairs of one case: marked
    assert "| copy of fixed | Q | 2 (1) | 0.625 | -0.963 to 2.213* | 0.500 | 20011 |" in lines
    # the row without any registration measure is not in that table
    registration = lines[lines.index("### Registration") : lines.index("### Single fields")]
    assert not any("copy of fixed" in line for line in registration)
