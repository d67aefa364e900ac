"""What a report warns of, and its measures."""

from dataclasses import replace

import numpy as np

from bundle.errors import Remark
from bundle.registration.registration import GAIN
from bundle.results.report import (
    Change,
    Determinant,
    Report,
    Statistics,
    correlation,
    result_remarks,
)

SUSPICIOUS = Report(
    modality=None,
    parameters={},
    unit="mm",
    mutual_information=Change(None, 0.01),
    ncc=Change(None, None),
    displacement=Statistics(1.0, 50.0, 100.0),
    jacobian=Determinant(-0.1, 2.0, 0.01),
    field_kept=False,
    seconds=1.0,
    overlap=0.3,
    uncertainty=Statistics(1.0, 6.0, 9.0),
)


def test_suspicious_figures_are_put_in_words():
    found = result_remarks(SUSPICIOUS)
    assert [one.code for one in found] == [
        "field_dropped",
        "folding",
        "little_information",
        "little_overlap",
        "large_displacement",
        "uncertain",
    ]
    assert all(isinstance(one, Remark) for one in found)
    assert [one.code for one in found if not one.warning] == ["field_dropped"]
    told = "did not raise the mutual information above that of the linear start by"
    assert f"{told} {100 * (GAIN - 1):.0f} %" in found[0].text
    rigid = replace(SUSPICIOUS, parameters={"rigid_only": True})
    assert len(result_remarks(rigid)) == 5
    dropped = replace(SUSPICIOUS, refinement={"method": "bspline", "reason": "it is bad"})
    assert "The B-spline step was dropped: it is bad." in [
        one.text for one in result_remarks(dropped)
    ]


def test_a_field_that_is_used_in_a_part_of_the_head_is_noted():
    kept = replace(SUSPICIOUS, field_kept=True, field_used=0.8)
    found = result_remarks(kept)[0]
    assert found.code == "field_partly_dropped" and not found.warning
    assert found.text.startswith("In 20 % of the head the elastic field lowered")
    assert kept.as_json()["field_used"] == 0.8
    for used in (0.95, 1.0, None):
        assert result_remarks(replace(kept, field_used=used))[0].code == "folding"


def test_good_figures_are_not_suspicious():
    good = replace(
        SUSPICIOUS,
        mutual_information=Change(0.4, 0.5),
        displacement=Statistics(1.0, 5.0, 60.0),
        jacobian=Determinant(0.1, 2.0, 0.0),
        field_kept=True,
        overlap=0.5,
        uncertainty=Statistics(1.0, 5.0, 9.0),
    )
    assert result_remarks(good) == []
    assert result_remarks(replace(good, unit="px", displacement=Statistics(9.0, 70.0, 99.0))) == []


def test_the_json_tells_notes_and_warnings_apart():
    remarks = {
        "warnings": (Remark("folding", "it folds"), Remark("swapped", "swapped?")),
        "notes": (Remark("resampled", "it was uneven", warning=False),),
    }
    said = replace(SUSPICIOUS, **remarks).as_json()
    assert said["warnings"] == [
        {"code": "folding", "text": "it folds"},
        {"code": "swapped", "text": "swapped?"},
    ]
    assert said["notes"] == [{"code": "resampled", "text": "it was uneven"}]
    assert said["suspicious"] == ["it folds", "swapped?"]
    assert said["displacement_mm"] == {"mean": 1.0, "p95": 50.0, "max": 100.0}
    assert said["uncertainty_mm"]["p95"] == 6.0 and said["display"] is None


def test_a_constant_correlates_with_nothing():
    assert correlation(np.zeros(4), np.arange(4)) is None
    constant = np.full(1000, 0.1)  # whose standard deviation is rounded to more than 0
    assert correlation(np.arange(1000.0), constant) is None
    assert correlation(np.arange(1000.0), -np.arange(1000.0)) == -1.0
