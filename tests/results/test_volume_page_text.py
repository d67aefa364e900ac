"""What the page of a pair of volumes says in words and numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bundle.results.describe import shown_volumes, volume_report
from bundle.results.report import Change, Determinant, Statistics
from bundle.results.volume_page import _text, _ticks


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
