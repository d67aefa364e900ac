"""Every method goes on from one start, on what the product's networks see."""

import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.evaluation.checks import volume_methods, volume_pairs
from bundle.evaluation.checks.misaligned import misaligned
from bundle.evaluation.checks.volume_methods import METHODS, Task, chosen_methods
from bundle.evaluation.checks.volume_pairs import phantom_pair
from bundle.geometry.transform import displacement_field
from bundle.options import options_of
from tests.scripts.test_demo import Still

SHIFT = sitk.TranslationTransform(3, (2.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def known():
    """A small phantom, misaligned, and its task."""
    grid = {"shape": (48, 56, 24), "spacing": (4.0, 4.0, 7.0), "centre": (0.0, 0.0, 0.0)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(volume_pairs, "GRID", grid)
        moved = misaligned(phantom_pair("CT", 1), 1, "spatial_small")
    return moved, Task(moved.pair.fixed, moved.moving, options_of(modality="CT"), Still().eval())


def test_the_start_is_the_same_for_all(known):
    moved, task = known
    start = moved.accuracy(METHODS["start"](task).transform).mean
    assert start < moved.accuracy(METHODS["headers"](task).transform).mean
    for method in ("axial", "three_planes"):  # of a network that does nothing
        found = METHODS[method](task)
        assert moved.accuracy(found.transform).mean == pytest.approx(start, abs=1e-3)
        assert found.kept is (False if method == "axial" else None)
        assert found.seconds.elapsed > 0 and found.seconds.processor > 0


def test_a_baseline_sees_displayed_volumes_and_goes_on_from_the_start(known, monkeypatch):
    moved, task = known
    seen = []

    def found(fixed, moving, setting):
        seen.append((fixed, moving))
        return SHIFT

    monkeypatch.setattr(volume_methods, "convex_adam_volumes", found)
    transform = METHODS["convexadam_lung"](task).transform
    point = (5.0, -10.0, 3.0)
    expected = task.start.TransformPoint(SHIFT.TransformPoint(point))
    assert transform.TransformPoint(point) == pytest.approx(expected)
    fixed, moving = (sitk.GetArrayFromImage(image) for image in seen[0])
    assert fixed.shape == moving.shape and max(seen[0][0].GetSpacing()) < 2.1
    assert moving.min() == 0 and moving.max() == 1  # a CT window, and not Hounsfield units


def test_the_b_spline_goes_on_from_the_start_too(known, monkeypatch):
    _, task = known
    monkeypatch.setattr(
        volume_methods, "spline_field", lambda fixed, *_: displacement_field(SHIFT, fixed)
    )
    found = METHODS["bspline"](task)
    point = (5.0, -10.0, 3.0)
    expected = task.start.TransformPoint(SHIFT.TransformPoint(point))
    assert found.transform.TransformPoint(point) == pytest.approx(expected)
    assert found.kept is None


def test_names_of_methods():
    assert chosen_methods(["shipped", "headers"]) == ["headers", "shipped"]
    with pytest.raises(InputError, match="syn: not a method; there are headers, start"):
        chosen_methods(["syn"])


def test_all_settings_of_convexadam_go_by_one_name(monkeypatch):
    names = ["convexadam_default", "convexadam_abdomen", "convexadam_lung"]
    assert chosen_methods(["convexadam"]) == names
    assert chosen_methods(["convexadam_lung"]) == names[2:]
