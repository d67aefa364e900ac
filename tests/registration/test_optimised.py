"""The optimiser's field in space, and its mean with the network's."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.domain import MOVING
from bundle.geometry.jacobian import volume_determinant
from bundle.geometry.slices import to_slices
from bundle.registration import optimised as module
from bundle.registration.coarse import LEAST, coarse_pair, scalar, vectors
from bundle.registration.elastic_field import ElasticField
from bundle.registration.optimised import ROOM, WEIGHTS, combined, optimised_field
from tests.inference.images import smooth
from tests.registration.test_three_planes import TILT, UPRIGHT, coded
from tests.registration.test_three_planes import vectors as values_of


def pair_of(volume, head=None):
    image = to_slices(volume).expand(2, -1, -1, -1).float()
    return coarse_pair(image, torch.ones_like(image[:1]) if head is None else head, volume)


@pytest.mark.parametrize("orientation", ["LPS", "PIR"])
@pytest.mark.parametrize("direction", [UPRIGHT, TILT], ids=["upright", "oblique"])
def test_voxels_become_mm_to_the_left_back_and_top(direction, orientation, monkeypatch):
    told = (3.0, -2.0, 1.0)  # voxels along rows, columns and slices
    monkeypatch.setattr(
        module, "convex_adam", lambda fixed, moving: np.broadcast_to(told, (*fixed.shape, 3))
    )
    volume = coded((80, 64, 24), (1.0, 2.0, 4.0), direction, orientation)
    field = optimised_field(pair_of(volume)).field
    upright = np.reshape(sitk.DICOMOrient(volume, "LPS").GetDirection(), (3, 3))
    expected = upright @ (np.array(field.GetSpacing()) * [-2.0, 3.0, 1.0])
    np.testing.assert_allclose(values_of(field) - expected, 0, atol=1e-4)


def test_the_head_alone_is_registered_and_beyond_it_the_field_goes_on(monkeypatch):
    seen = []

    def rows(fixed, moving):
        seen.append(fixed.shape)
        ramp = np.arange(fixed.shape[0], dtype=np.float64)[:, None, None]
        return np.stack(np.broadcast_arrays(0.1 * ramp + np.zeros(fixed.shape), 0.0, 0.0), axis=-1)

    monkeypatch.setattr(module, "convex_adam", rows)
    head = torch.zeros(1, 64, 64, 64)
    head[:, 20:40, 22:44, 24:50] = 1
    field = values_of(optimised_field(pair_of(coded((64,) * 3, (2.0,) * 3), head)).field)
    assert seen == [(20 + 2 * ROOM, 22 + 2 * ROOM, 26 + 2 * ROOM)]
    first = 20 - ROOM
    np.testing.assert_allclose(field[0, 25:35, 0, 1], 0.2 * (np.arange(25, 35) - first), atol=1e-6)
    np.testing.assert_allclose(field[:, :5], 0, atol=1e-6)
    np.testing.assert_allclose(field[:, 60, :, 1], 0.2 * (20 + 2 * ROOM - 1), atol=1e-6)


def test_thin_volumes_have_none():
    assert optimised_field(pair_of(coded((64, 64, 5), (2.0, 2.0, 3.0)))) is None


def test_a_shift_is_found_whatever_the_contrast():
    fixed = sitk.GetImageFromArray(smooth((56, 60, 64), 1, 3.0))
    fixed.SetSpacing((2.0, 2.0, 2.0))
    moving = sitk.Resample(fixed, fixed, sitk.TranslationTransform(3, (-4.0, 2.0, 0.0)))
    image = torch.cat([to_slices(fixed), 1 - to_slices(moving)]).float()
    pair = coarse_pair(image, torch.ones_like(image[:1]), fixed)
    field = values_of(optimised_field(pair).field)[15:-15, 15:-15, 15:-15]
    np.testing.assert_allclose(field.reshape(-1, 3).mean(axis=0), (4.0, -2.0, 0.0), atol=0.5)


def test_the_mean_and_its_spread():
    grid = pair_of(coded((30, 20, 20), (2.0, 2.0, 2.0))).grid
    shape = grid.GetSize()[1], grid.GetSize()[0], grid.GetSize()[2]
    fields = [
        vectors(np.broadcast_to(np.reshape(one, (3, 1, 1, 1)), (3, *shape)), grid)
        for one in ((1.0, 2.0, 0.0), (4.0, 6.0, 0.0))
    ]
    spread = scalar(np.full(shape, 2.0), grid)
    learnt = ElasticField(fields[0], spread, ("axial",))
    other = ElasticField(fields[1], None, (), 1.0)
    found = combined(learnt, other, (0.75, 0.25))
    np.testing.assert_allclose(values_of(found.field) - (1.75, 3.0, 0.0), 0, atol=1e-6)
    np.testing.assert_allclose(values_of(found.spread), np.sqrt(4 + 25 * 3 / 16), rtol=1e-6)
    assert found.planes == ("axial",) and found.optimiser == 0.25
    none = combined(ElasticField(fields[0], None, ()), other, (0.5, 0.5))
    np.testing.assert_allclose(values_of(none.spread), 2.5, rtol=1e-6)


def test_the_mean_does_not_fold():
    grid = pair_of(coded((40, 40, 40), (2.0, 2.0, 2.0))).grid
    noise = np.random.default_rng(0).normal(0, 6, (2, 3, 40, 40, 40))
    fields = [ElasticField(vectors(one, grid), None, ()) for one in noise]
    found = combined(*fields, (0.5, 0.5)).field
    assert values_of(volume_determinant(found)).min() >= LEAST


def test_weights_beyond_one_stretch_the_field_and_not_its_spread():
    grid = pair_of(coded((40, 40, 40), (2.0, 2.0, 2.0))).grid
    fields = [np.broadcast_to(np.reshape(v, (3, 1, 1, 1)), (3, 40, 40, 40)) for v in
              ((1.0, 2.0, 0.0), (3.0, 2.0, 0.0))]  # fmt: skip
    learnt, other = (ElasticField(vectors(one, grid), None, ()) for one in fields)
    found, mean = (combined(learnt, other, one) for one in ((1.0, 0.5), (2 / 3, 1 / 3)))
    np.testing.assert_allclose(values_of(found.field), 1.5 * values_of(mean.field), rtol=1e-6)
    np.testing.assert_allclose(values_of(found.spread), values_of(mean.spread), rtol=1e-6)
    assert found.optimiser == pytest.approx(1 / 3)


def test_every_modality_has_weights():
    assert set(WEIGHTS) == {*MOVING, None}
    assert all(0 < one < 1.5 for weights in WEIGHTS.values() for one in weights)
