"""What the page of a pair of volumes says in words and numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bundle.results.describe import shown_volumes, volume_report
from bundle.results.labels import LabelMean
from bundle.results.page import short
from bundle.results.report import Change, Determinant, Statistics
from bundle.results.volume_page import _text, _ticks, write_volume_page


@pytest.mark.parametrize("finer", [True, False])
def test_the_report_says_whether_the_field_went_on_in_finer_voxels(ball, finer):
    elastic = replace(ball.registration.elastic, finer=finer)
    fused = replace(ball, registration=replace(ball.registration, elastic=elastic))
    report = volume_report(fused, shown_volumes(fused), {"init": "rigid"})
    assert report.parameters["finer"] is finer


def test_figures_are_as_precise_as_they_are_true(ball):
    shown = shown_volumes(ball)
    report = replace(
        volume_report(ball, shown, {"init": "rigid"}),
        modality="CT",
        parameters={"init": "rigid", "planes": ["axial"], "optimiser": 0.5, "finer": True},
        displacement=Statistics(3.2149, 9.0, 10.6505),
        mutual_information=Change(0.301583, None),
        jacobian=Determinant(0.1587, 2.1412, 0.0),
    )
    text = _text(replace(report, field_kept=True))
    assert text["displacement"] == "mean 3.2 mm, largest 10.7 mm"
    assert text["mutual information in the head"] == "0.302 at the start, - after"
    wanted = "factor 0.16 to 2.14 (1: unchanged, 0 or less: folded)"
    assert text["change of volume"].startswith(wanted)
    steps = "weighted sum with the field of an optimiser, corrected by a network"
    assert text["registered by"].endswith(f"{steps}, then B-spline on voxels of 1 mm")


@pytest.mark.parametrize(
    ("init", "rigid_only", "text"),
    [
        ("none", False, "headers, then network, in axial slices"),
        ("header", False, "headers, then network, in axial slices"),
        ("rigid", False, "rigid start, then network, in axial slices"),
        ("none", True, "nothing: fused as they lie"),
        ("header", True, "nothing: fused as they lie"),
        ("moments", True, "moments start"),
    ],
)
def test_the_page_says_what_registered_the_pair(init, rigid_only, text, ball):
    if rigid_only:
        ball = replace(ball, registration=replace(ball.registration, elastic=None))
    given = {"init": init, "rigid_only": rigid_only}
    report = volume_report(ball, shown_volumes(ball), given)
    assert report.field_kept is not rigid_only
    assert _text(report)["registered by"] == text


def test_the_colour_bar_has_few_and_short_numbers():
    assert _ticks(-0.3, 45231.7) == ["0", "22616", "45232"]
    assert _ticks(0.0, 4.5) == ["0", "2.25", "4.5"]
    assert _ticks(5000.0, 5004.0) == ["5000", "5002", "5004"]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1610.4, 3, "1610"), (99.96, 3, "100"), (45.678, 4, "45.68"), (-1234.5678, 4, "-1235"),
        (0.0123456, 3, "0.0123"), (0.0, 3, "0"),
    ],
)  # fmt: skip
def test_numbers_for_people_have_no_exponent(value, digits, text):
    assert short(value, digits) == text


def test_volumes_and_means_of_labels_have_no_exponent(ball, tmp_path):
    shown = shown_volumes(ball)
    means = {"headers": 123456.7, "start": 12.3456, "registered": None}
    one = LabelMean(label=3, volume_ml=1610.4, covered=1.0, unit="Bq/ml", **means)
    report = replace(volume_report(ball, shown, {"init": "rigid"}), labels=(one,))
    write_volume_page(tmp_path / "report.html", report, ball, shown, "inferno")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    row = page[page.index("<td>3</td>") :]
    for cell in ("1610", "123457", "12.35", "-"):
        assert f"<td>{cell}</td>" in row[:400]
