"""A field brought closer on voxels of about 1 mm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.geometry.transform import compose
from bundle.registration import finer as module
from bundle.registration.around_head import head_box
from bundle.registration.coarse import coarse_of, scalar, vectors
from bundle.registration.elastic_field import ElasticField
from bundle.registration.finer import SPREAD, finer_field
from tests.registration.volumes import SHIFT, TILT, UPRIGHT, shifted


def still(pair):
    return ElasticField(vectors(np.zeros((3, *pair.image.shape[1:])), pair.grid), None, ("axial",))


def error(pair, elastic):
    """Mean distance from the truth in the middle, mm."""
    found = sitk.GetArrayFromImage(elastic.field)[6:-6, 8:-8, 8:-8] - SHIFT
    return np.linalg.norm(found, axis=-1).mean()


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.3, 0.8, 2.0)])
@pytest.mark.parametrize("direction", [UPRIGHT, TILT], ids=["upright", "oblique"])
def test_a_shift_is_found_in_space_whatever_the_contrast(direction, spacing, monkeypatch):
    monkeypatch.setattr(module, "STEPS", 15)
    initial = shifted(direction, spacing)
    pair = coarse_of(initial)
    found = finer_field(initial, pair, still(pair))
    assert error(pair, found) < 0.25 * error(pair, still(pair))
    assert found.planes == ("axial",) and found.finer


def test_a_field_that_is_right_stays_near_and_its_spread_falls():
    initial = shifted()
    pair = coarse_of(initial)
    shape = pair.image.shape[1:]
    along = np.broadcast_to(np.reshape(SHIFT, (3, 1, 1, 1)), (3, *shape))
    right = ElasticField(vectors(along, pair.grid), scalar(np.full(shape, 2.0), pair.grid), ())
    assert error(pair, right) == pytest.approx(0, abs=1e-9)
    found = finer_field(initial, pair, right)
    assert error(pair, found) < 0.5
    np.testing.assert_allclose(sitk.GetArrayFromImage(found.spread), 2.0 * SPREAD["MR"])


def test_a_head_in_a_corner_is_brought_closer_by_the_shipped_steps():
    initial = shifted(air=44)
    pair = coarse_of(initial)
    box = head_box(pair)
    assert box[0].start >= 12 and box[2].stop <= pair.image.shape[3] - 12
    with torch.inference_mode():
        found = finer_field(initial, pair, still(pair))
    before, after = (
        np.linalg.norm(sitk.GetArrayFromImage(one.field)[6:14, 30:44, 8:22] - SHIFT, axis=-1).mean()
        for one in (still(pair), found)
    )
    assert after < 0.7 * before
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(found.field)[-1], sitk.GetArrayFromImage(found.field)[-3], atol=1e-6
    )  # in air it goes on


def test_the_spread_of_thick_slices_stays():
    initial = shifted(spacing=(1.0, 1.0, 5.0))
    pair = coarse_of(initial)
    field = replace(still(pair), spread=scalar(np.full(pair.image.shape[1:], 2.0), pair.grid))
    found = finer_field(initial, pair, field)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found.spread), 2.0)


def test_the_field_of_spect_is_smoother_and_its_spread_stays():
    found = []
    for modality in ("PET", "SPECT"):  # both with the fixed volume blurred by as much
        initial = shifted(modality=modality)
        pair = coarse_of(initial)
        field = replace(still(pair), spread=scalar(np.full(pair.image.shape[1:], 2.0), pair.grid))
        found.append(finer_field(initial, pair, field))
    pet, spect = (
        np.abs(np.diff(sitk.GetArrayFromImage(one.field), axis=1)).mean() for one in found
    )
    assert 0 < spect < 0.8 * pet
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found[1].spread), 2.0)


def test_large_fields_of_view_stay_as_they_are(monkeypatch):
    initial = shifted()
    pair = coarse_of(initial)
    field = still(pair)
    assert finer_field(initial, pair, field) is not field
    monkeypatch.setattr(module, "LARGEST", 1e4)
    assert finer_field(initial, pair, field) is field


def test_the_moving_volume_is_warped_closer():
    initial = shifted()
    pair = coarse_of(initial)
    found = finer_field(initial, pair, still(pair))
    warped = sitk.Resample(
        initial.moving, initial.pair.fixed.image, compose(np.eye(4), found.field)
    )
    before, after = (
        np.corrcoef(*(sitk.GetArrayFromImage(one)[8:-8, 8:-8, 8:-8].ravel() for one in (
            initial.pair.fixed.image, moved)))[0, 1]
        for moved in (initial.moving, warped)
    )  # fmt: skip
    assert after < before < 0  # the contrasts are opposite
