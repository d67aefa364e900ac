"""The results page out of a small evaluation."""

import json

import pytest

from bundle.engine.reference_rows import METHOD, NO_REGISTRATION
from scripts.results import main


def group(row, level="small", **means):
    measures = {name: {"mean": value} for name, value in means.items()}
    return {"modality": "CT", "level": level, "row": row, "measures": measures}


def test_figures_of_the_evaluation_stand_in_the_page(tmp_path):
    summary = [
        group(METHOD, EPE=1.234, RES=1.0, EPE_flow1=2.345, SD=90.0, Q=0.4321, VIF_B=0.2),
        group(NO_REGISTRATION, EPE=3.456, RES=3.0, SD=91.0, Q=0.3),
    ]
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    main(["--evaluation", str(tmp_path), "--output_dir", str(tmp_path / "docs")])
    page = (tmp_path / "docs" / "results.md").read_text(encoding="utf-8")
    assert "3.46 → 1.23" in page
    assert "| CT | small | 3.46 | 1.23 | 2.35 |" in page
    assert "BSAFusion (paper) | 90.24 | 0.42" in page
    assert (tmp_path / "docs" / "images" / "epe.png").stat().st_size > 1000


def test_a_missing_evaluation_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        main(["--evaluation", str(tmp_path), "--output_dir", str(tmp_path)])
    assert error.value.code != 0
    assert not (tmp_path / "results.md").exists()
