"""What masks leave out counts nowhere: not in the start, the guard, the field and the measures."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.fusion import fuse
from bundle.geometry.head import find_head
from bundle.geometry.slices import to_slices
from bundle.geometry.transform import as_matrix
from bundle.images.pair import read_pair
from bundle.options import options_of
from bundle.registration import initialize, register
from bundle.registration.coarse import coarse_of
from bundle.registration.registration import information
from bundle.registration.similarity import mutual_information
from bundle.results.describe import describe
from tests.inference.stubs import KnownField
from tests.registration.volumes import errors, head, motion_of, moved

REGISTRATION = sys.modules[register.__module__]
MIDDLE = (12.0, -8.0, 6.0)


def ball(grid, radius, middle=MIDDLE):
    """uint8 on a grid, 1 within a distance of a place."""
    axes = [np.arange(n) for n in grid.GetSize()]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) * grid.GetSpacing()
    far = np.linalg.norm(places + grid.GetOrigin() - np.array(middle), axis=-1)
    mask = sitk.GetImageFromArray((far < radius).T.astype(np.uint8))
    mask.CopyInformation(grid)
    return mask


def marked(image, mask, value):
    """The image with one value where a mask is 1."""
    inside = sitk.Cast(mask, sitk.sitkFloat64)
    return sitk.Cast(image, sitk.sitkFloat64) * (1 - inside) + value * inside


@pytest.fixture(scope="module")
def scene():
    """A head with a bright ball of 15 mm, its mask, and the head in another contrast, moved."""
    plain, motion = head(), motion_of()
    mask = ball(plain, 15.0)
    return plain, marked(plain, mask, 9.0), mask, moved(head(invert=True), motion), motion


def started(fixed, moving, **given):
    asked = options_of(**given)
    return initialize(read_pair(fixed, moving, asked), asked)


def codes(initial):
    return [one.code for one in initial.remarks if one.code != "small_field_of_view"]


def test_the_start_and_the_window_are_those_of_a_head_without_it(scene):
    plain, fixed, mask, moving, motion = scene
    found = started(fixed, moving, fixed_mask=mask)
    assert errors(found.start, motion_matrix(motion)).mean() < 1.0
    assert found.windows[0] == pytest.approx(started(plain, moving).windows[0], abs=0.02)
    assert started(fixed, moving).windows[0][1] > 8.0


def motion_matrix(motion):
    return as_matrix(motion)


def test_values_of_what_is_left_out_change_nothing(scene):
    plain, _, mask, moving, _ = scene
    one, two = (
        started(marked(plain, mask, value), moving, fixed_mask=mask) for value in (-50.0, 9.0)
    )
    np.testing.assert_array_equal(one.start, two.start)
    assert one.matched.equal(two.matched) and one.windows == two.windows
    assert information(one) == information(two)
    assert not one.image.equal(two.image)


def test_what_is_shown_is_the_image_and_what_is_registered_is_filled(scene):
    _, fixed, mask, moving, _ = scene
    found = started(fixed, moving, init="header", fixed_mask=mask)
    inside = to_slices(mask)[0] > 0
    assert (found.image[0][inside] == 1).all()
    assert found.matched[0][inside].max() < 1.0
    assert found.matched[0][~inside].equal(found.image[0][~inside])
    assert found.matched[1].equal(found.image[1])


def test_the_masks_voxels_are_not_counted_by_the_guard(scene):
    plain, _, mask, moving, _ = scene
    found = started(plain, moving, init="header", fixed_mask=mask, moving_mask=ball(moving, 9.0))
    away = to_slices(sitk.Or(mask, ball(plain, 9.0)))[0].numpy() > 0
    where = (to_slices(find_head(plain))[0].numpy() > 0) & ~away
    np.testing.assert_array_equal(found.counted[0].numpy() > 0, where)
    expected = mutual_information(*(part.numpy() for part in found.matched), where)
    assert information(found) == expected


def test_the_masks_voxels_are_not_counted_by_the_guard_of_regions(scene, monkeypatch):
    _, fixed, mask, moving, motion = scene
    asked = options_of(init="header", plane="axial", fixed_mask=mask)
    seen = []

    def guarded(pair, elastic):
        seen.append(pair.head)
        return elastic

    monkeypatch.setattr(REGISTRATION, "guarded", guarded)
    monkeypatch.setattr(REGISTRATION, "GAIN", 0.0)
    there = sitk.Resample(moving, fixed, motion)
    found = register(read_pair(fixed, there, asked), KnownField(), asked)
    left_out = coarse_of(found.initial, to_slices(mask)).head
    assert left_out.any() and not (seen[0] & left_out).any()
    assert (coarse_of(found.initial).head & left_out).any()


def test_the_moving_mask_goes_along_with_the_start(scene):
    plain, _, _, _, motion = scene
    moving = moved(head(invert=True), motion)
    there = motion.TransformPoint(MIDDLE)
    found = started(plain, marked(moving, ball(moving, 15.0, there), 30.0),
                    moving_mask=ball(moving, 15.0, there))  # fmt: skip
    assert errors(found.start, motion_matrix(motion)).mean() < 1.0
    left_out = to_slices(ball(plain, 15.0))[0].numpy() > 0
    different = (found.counted[0].numpy() == 0) & (found.head[0].numpy() > 0)
    shared = (different & left_out).sum() / (different | left_out).sum()
    assert shared > 0.75  # a ball of five voxels, brought along to less than one


def test_measures_do_not_count_it_and_the_results_show_it(scene, monkeypatch):
    plain, fixed, mask, moving, motion = scene
    monkeypatch.setattr(REGISTRATION, "optimised_field", lambda *_: None)
    asked = options_of(init="header", plane="axial", guard=False, fixed_mask=mask)
    network, there = KnownField(), sitk.Resample(moving, plain, motion)
    found = [
        fuse(register(read_pair(image, there, asked), network, asked), network)
        for image in (fixed, plain)
    ]
    reports = [describe(one, {}) for one in found]
    assert reports[0].mutual_information == reports[1].mutual_information
    assert reports[0].jacobian == reports[1].jacobian
    fused = [sitk.GetArrayFromImage(one.fused) for one in found]
    inside = sitk.GetArrayFromImage(mask) > 0
    assert fused[0][inside].min() == 1.0 > np.median(fused[1][inside])
    assert [one.code for one in reports[0].notes] == ["masked"]


def test_how_much_is_left_out_is_noted_warned_of_and_refused(scene):
    plain, *_ = scene
    for radius, warning in ((20.0, False), (30.0, True)):
        mask = ball(plain, radius, (0, 0, 0))
        found = started(plain, plain, init="header", modality="MR", fixed_mask=mask)
        assert codes(found) == ["masked"]
        (remark,) = [one for one in found.remarks if one.code == "masked"]
        share = 1 - found.counted.sum() / found.head.sum()
        assert remark.warning is warning
        said = float(remark.text.removeprefix("fixed mask: leaves out ").split()[0])
        assert said == pytest.approx(100 * share, abs=1.5)  # heads with and without the ball
    for side in ("fixed_mask", "moving_mask"):
        with pytest.raises(InputError, match="its mask leaves out 100.0 % of the head; mark what"):
            started(plain, plain, init="header", **{side: ball(plain, 70.0, (0, 0, 0))})


def test_the_field_is_that_of_a_head_without_metal():
    """A ball as bright as metal in one image draws the optimiser's field; its mask forbids it."""
    values = sitk.GetArrayFromImage(head())
    values += np.where(values > 0.2, 0.3 * np.random.default_rng(0).random(values.shape), 0)
    fixed = sitk.SmoothingRecursiveGaussian(like_head(values), 3.0)
    places = ball(fixed, 9.0), ball(fixed, 9.0, np.add(MIDDLE, (12.0, 0, 0)))
    images = [marked(fixed, place, 4.0) for place in places]
    wide = [ball(fixed, 12.0), ball(fixed, 12.0, np.add(MIDDLE, (12.0, 0, 0)))]
    common = {"init": "header", "guard": False}
    drawn, free = (
        register(read_pair(*images, asked), KnownField().eval(), asked)
        for asked in (
            options_of(**common),
            options_of(fixed_mask=wide[0], moving_mask=wide[1], **common),
        )
    )
    still = register(
        read_pair(fixed, fixed, options_of(**common)), KnownField(), options_of(**common)
    )
    near = np.array([MIDDLE, np.add(MIDDLE, (0, 12.0, 0)), np.add(MIDDLE, (6.0, -10.0, 0))])
    places = [
        np.array([one.transform.TransformPoint(point) for point in near.tolist()])
        for one in (drawn, free, still)
    ]
    far = [np.linalg.norm(one - places[2], axis=1).mean() for one in places[:2]]
    assert far[1] < 0.5 * far[0], far


def like_head(values):
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(head())
    return image


def test_a_mask_of_the_air_makes_no_air_head(scene):
    plain, _, _, moving, motion = scene
    air = 1 - find_head(plain)
    found, without = started(plain, moving, fixed_mask=air), started(plain, moving)
    assert errors(found.start, motion_matrix(motion)).mean() < 1.0
    grown = int(found.head.count_nonzero()) / int(without.head.count_nonzero())
    assert 0.9 < grown < 1.6  # up to 15 mm around it are filled


def test_a_mask_of_most_of_the_head_is_not_used_by_the_start(scene):
    plain, _, _, moving, motion = scene
    kept = ball(plain, 30.0, (0.0, 0.0, 0.0))
    found = started(plain, moving, fixed_mask=1 - kept)
    np.testing.assert_array_equal(found.start, started(plain, moving).start)
    remark = next(one for one in found.remarks if one.code == "masked")
    assert remark.warning and "the start does not use it" in remark.text
    assert int(found.counted.count_nonzero()) <= int(sitk.GetArrayFromImage(kept).sum())
