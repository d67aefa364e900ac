"""One field of two: their weighted sum, its spread, and what a network adds to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bundle.domain import MOVING
from bundle.geometry.jacobian import volume_determinant
from bundle.geometry.slices import to_slices
from bundle.networks.field_combiner import TwoFields
from bundle.registration import combined as module
from bundle.registration.coarse import coarse_pair, from_voxels, in_voxels, scalar, vectors
from bundle.registration.combined import (
    LEARNT,
    MARGIN,
    SMOOTHED,
    THICK_MARGIN,
    WEIGHTS,
    combined,
    two_fields,
)
from bundle.registration.elastic_field import ElasticField
from bundle.registration.unfolding import LEAST
from tests.registration.volumes import TILT, coded
from tests.registration.volumes import vectors as values_of

SIDE = 40


def pair_of(volume, head=None):
    image = to_slices(volume).expand(2, -1, -1, -1).float()
    return coarse_pair(image, torch.ones_like(image[:1]) if head is None else head, volume)


@pytest.fixture
def pair():
    head = torch.zeros(1, SIDE, SIDE, SIDE)
    head[:, 10:30, 10:30, 10:30] = 1
    return pair_of(coded((SIDE,) * 3, (2.0,) * 3), head)


def field_of(pair, *shift, spread=None):
    shape = pair.image.shape[1:]
    along = np.broadcast_to(np.reshape(shift, (3, 1, 1, 1)), (3, *shape))
    wide = None if spread is None else scalar(np.full(shape, spread), pair.grid)
    return ElasticField(vectors(along, pair.grid), wide, ("axial",))


def test_the_sum_and_its_spread(pair, monkeypatch):
    monkeypatch.setitem(WEIGHTS, None, (0.75, 0.25))
    learnt = field_of(pair, 1.0, 2.0, 0.0, spread=2.0)
    other = field_of(pair, 4.0, 6.0, 0.0)
    found = combined(pair, learnt, other, None)
    np.testing.assert_allclose(values_of(found.field) - (1.75, 3.0, 0.0), 0, atol=1e-6)
    np.testing.assert_allclose(values_of(found.spread), np.sqrt(4 + 25 * 3 / 16), rtol=1e-6)
    assert found.planes == ("axial",) and found.optimiser == 0.25
    none = combined(pair, field_of(pair, 1.0, 2.0, 0.0), other, None)
    np.testing.assert_allclose(values_of(none.spread), np.sqrt(25 * 3 / 16), rtol=1e-6)


def test_the_sum_does_not_fold(pair):
    noise = np.random.default_rng(0).normal(0, 6, (2, 3, SIDE, SIDE, SIDE))
    fields = [ElasticField(vectors(one, pair.grid), None, ()) for one in noise]
    found = combined(pair, *fields, None).field
    assert values_of(volume_determinant(found)).min() >= LEAST


def test_weights_beyond_one_stretch_the_field_and_not_its_spread(pair, monkeypatch):
    found = {}
    for total, weights in ((1.5, (1.0, 0.5)), (1.0, (2 / 3, 1 / 3))):
        monkeypatch.setitem(WEIGHTS, None, weights)
        fields = field_of(pair, 1.0, 2.0, 0.0), field_of(pair, 3.0, 2.0, 0.0)
        found[total] = combined(pair, *fields, None)
    stretched, mean = found[1.5], found[1.0]
    np.testing.assert_allclose(values_of(stretched.field), 1.5 * values_of(mean.field), rtol=1e-6)
    np.testing.assert_allclose(values_of(stretched.spread), values_of(mean.spread), rtol=1e-6)
    assert stretched.optimiser == pytest.approx(1 / 3)


def test_every_modality_has_weights():
    assert set(WEIGHTS) == {*MOVING, None} and set(LEARNT) < set(WEIGHTS)
    assert set(SMOOTHED) == set(LEARNT)
    assert all(0 < one < 1.5 for weights in WEIGHTS.values() for one in weights)


def test_voxels_of_an_oblique_field_and_back():
    pair = pair_of(coded((30, 26, 22), (1.9, 2.0, 2.1), TILT, "PIR"))
    shifts = np.random.default_rng(0).normal(size=(3, *pair.image.shape[1:]))
    field = from_voxels(shifts, pair)
    np.testing.assert_allclose(in_voxels(field, pair.spacing), shifts, atol=1e-9)
    direction = np.reshape(pair.grid.GetDirection(), (3, 3))
    rows, columns, slices = shifts[:, 3, 4, 5] * pair.spacing
    expected = direction @ (columns, rows, slices)
    np.testing.assert_allclose(field.GetPixel(4, 3, 5), expected, atol=1e-9)


def test_what_the_network_adds_lies_in_the_head_and_in_voxels_of_the_grid(pair, monkeypatch):
    """A network that finds one voxel along the rows too little."""

    def network(packed):
        fields = TwoFields.unpacked(packed)
        near = torch.nn.functional.avg_pool3d(fields.head, 5, 1, 2)
        found = fields.sum + near * torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1, 1)
        return torch.cat([found, 1 + fields.head], dim=1)

    monkeypatch.setattr(module, "load_combiner", lambda: network)
    fields = field_of(pair, 1.0, 0.0, 0.0, spread=1.0), field_of(pair, 2.0, 0.0, 0.0)
    both = combined(pair, *fields, "PET")
    found, spread = values_of(both.field), values_of(both.spread)
    assert spread[20, 20, 20] == pytest.approx(4.0 * MARGIN)  # mm
    assert spread[0, 0, 0] == pytest.approx(2.0 * MARGIN)
    total = WEIGHTS["PET"][0] + 2 * WEIGHTS["PET"][1]
    np.testing.assert_allclose(found[20, 20, 20], (total, 2.0, 0.0), atol=1e-3)
    np.testing.assert_allclose(found[1, 1, 1], (total, 0.0, 0.0), atol=1e-4)
    np.testing.assert_allclose(values_of(combined(pair, *fields, "MR").field)[..., 1], 0, atol=1e-9)
    thick = combined(pair, *fields, "PET", thick=True)
    np.testing.assert_allclose(values_of(thick.spread) / spread, THICK_MARGIN / MARGIN, rtol=1e-6)
    assert THICK_MARGIN > MARGIN and (values_of(thick.field) == found).all()


@pytest.mark.parametrize("fast", [True, False])
def test_the_network_computes_in_what_the_processor_is_fast_in(pair, fast, monkeypatch):
    layer, computed = torch.nn.Conv3d(1, 1, 1), []

    def network(packed):
        fields = TwoFields.unpacked(packed)
        with torch.no_grad():
            computed.append(layer(fields.head).dtype)
        return torch.cat([fields.sum, fields.head], dim=1)

    monkeypatch.setattr(module, "load_combiner", lambda: network)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": fast})
    combined(pair, *(field_of(pair, 1.0, 0.0, 0.0, spread=1.0) for _ in range(2)), "CT")
    assert computed == [torch.bfloat16 if fast else torch.float32]


def test_a_corrected_field_is_smoothed_in_mm_and_a_sum_is_not(pair, monkeypatch):
    def network(packed):
        fields = TwoFields.unpacked(packed)
        return torch.cat([fields.sum, torch.ones_like(fields.head)], dim=1)

    monkeypatch.setattr(module, "load_combiner", lambda: network)
    wave = np.zeros((3, SIDE, SIDE, SIDE))
    wave[1] = 0.2 * np.cos(np.pi / 4 * np.arange(SIDE))  # along slices, eight voxels long
    field = ElasticField(from_voxels(wave, pair), scalar(wave[0], pair.grid), ("axial",))
    plain, smooth = (
        in_voxels(combined(pair, field, field, one).field, pair.spacing)[1, 20, 20, 12:28]
        for one in ("MR", "PET")
    )
    np.testing.assert_allclose(plain, sum(WEIGHTS["MR"]) * wave[1, 20, 20, 12:28], atol=1e-9)
    left = np.exp(-0.5 * (SMOOTHED["PET"] / 2.0 * np.pi / 4) ** 2)  # of a wave, by a Gaussian
    expected = left * sum(WEIGHTS["PET"]) * wave[1, 20, 20, 12:28]
    np.testing.assert_allclose(smooth, expected, atol=2e-3)


def test_the_parts_that_the_network_sees_lie_in_one_place(pair):
    ramp = np.stack(np.indices((SIDE, SIDE, SIDE), dtype=np.float64))
    learnt = ElasticField(from_voxels(ramp, pair), scalar(ramp[0] * 2, pair.grid), ())
    fields = two_fields(pair, learnt, learnt, (1.0, 1.0))
    height, width, depth = fields.head.shape[2:]
    torch.testing.assert_close(fields.learnt, fields.optimised)
    assert fields.image.shape == (1, 2, 2 * height, 2 * width, 2 * depth)
    torch.testing.assert_close(fields.learnt[0, 0], fields.spread[0, 0])
    first = fields.learnt[0, :, 0, 0, 0]  # cells of two voxels, their middles between them
    expected = fields.learnt[0, :, 3, 2, 1] - torch.tensor([6.0, 4.0, 2.0])
    torch.testing.assert_close(expected, first)
    assert float(first[0]) == 2.5  # four cells before the head, which begins at voxel 10
