"""The plots of the results page, of an evaluation that lacks modalities and levels."""

from __future__ import annotations

import json
import warnings

import pytest

from bundle.evaluation.reference_rows import METHOD, NO_REGISTRATION
from bundle.evaluation.tables import plots
from bundle.evaluation.tables.page import Results
from scripts import results


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are drawn; a warning is an error."""
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, path: figures.append(figure))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield figures


def group(row, **means):
    measures = {name: {"mean": value} for name, value in means.items()}
    return {"modality": "PET", "level": "medium", "row": row, "measures": measures}


RESULTS = Results(
    [group(METHOD, EPE=1.0, Q=0.4, VIF_A=0.2), group(NO_REGISTRATION, EPE=2.0, Q=0.3)]
)


def words(axis):
    return [text.get_text() for text in axis.texts]


@pytest.mark.parametrize(("size", "label"), [(64, "EPE, px of 64"), (None, "EPE, px")])
def test_errors_are_in_the_pixels_of_the_evaluation(size, label, drawn, tmp_path):
    plots.plot_fields(RESULTS, tmp_path / "a.png", size)
    ct, pet, spect = drawn[0].axes
    assert ct.get_ylabel() == label
    assert words(ct) == words(spect) == ["not evaluated"] and not words(pet)
    assert [text.get_text() for text in pet.get_legend().get_texts()] == ["medium"]
    assert ct.get_legend() is None


def test_what_was_not_measured_has_no_bar(drawn, tmp_path):
    plots.plot_fusion(RESULTS, tmp_path / "a.png", level="medium")
    plots.plot_fusion(RESULTS, tmp_path / "a.png", level="small")
    ct, pet, _ = drawn[0].axes
    assert not ct.patches and words(ct) == ["not evaluated"]
    assert sorted(bar.get_height() for bar in pet.patches) == [0.2, 0.3, 0.4]
    assert [words(axis) for axis in drawn[1].axes] == [["not evaluated"]] * 3


def test_the_page_passes_the_size_on(tmp_path, monkeypatch):
    sizes = []
    monkeypatch.setattr(results, "plot_fields", lambda _, path, size: sizes.append(size))
    summary = [group(METHOD, EPE=1.0, SD=90.0)]
    (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    (tmp_path / "run.json").write_text(json.dumps({"image_size": 128}), encoding="utf-8")
    results.main(["--evaluation", str(tmp_path), "--output_dir", str(tmp_path)])
    assert sizes == [128]
