"""Which field becomes that of a volume."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.domain import PLANES
from bundle.errors import InputError
from bundle.geometry.transform import displacement_field
from bundle.images.pair import read_pair
from bundle.options import options_of
from bundle.registration import register
from bundle.registration.combined import WEIGHTS
from bundle.registration.elastic_field import ElasticField
from bundle.registration.registration import information
from tests.inference.images import smooth

REGISTRATION = sys.modules[register.__module__]


class Noise(torch.nn.Module):
    """A network of slices that is not asked."""


def vectors(field):
    return sitk.GetArrayFromImage(field).astype(np.float64)


def textured(shape, spacing):
    """A head of smooth noise, and the same 4 mm further to the left, as volumes."""
    values = 100 * (0.3 + smooth(shape, 3, 2.0))
    values[:, :6] = values[:, -6:] = values[..., :6] = values[..., -6:] = 0
    fixed = sitk.GetImageFromArray(values)
    fixed.SetSpacing(spacing)
    shift = sitk.TranslationTransform(3, (-4.0, 0.0, 0.0))
    return fixed, sitk.Resample(fixed, fixed, shift, sitk.sitkLinear, 0.0)


def candidates(monkeypatch, three, own):
    """Stand-ins: fields of so many mm to the left in three planes and in the slices' own."""
    asked = []

    def three_planes(pair, network):
        asked.append("three")
        shift = sitk.TranslationTransform(3, (three, 0.0, 0.0))
        return ElasticField(displacement_field(shift, pair.grid), None, tuple(PLANES))

    def slice_fields(image, head, spacing, network, through_plane):
        asked.append("own")
        ddf = torch.zeros_like(image)
        ddf[1] = own / spacing[1]
        return ddf, None

    monkeypatch.setattr(REGISTRATION, "optimised_field", lambda *_: None)
    monkeypatch.setattr(REGISTRATION, "three_plane_field", three_planes)
    monkeypatch.setattr(REGISTRATION, "slice_fields", slice_fields)
    return asked


def optimiser_finds(monkeypatch, shift):
    """Let the optimiser find a shift along x in mm."""

    def optimiser(pair, modality):
        motion = sitk.TranslationTransform(3, (shift, 0.0, 0.0))
        return ElasticField(displacement_field(motion, pair.grid), None, (), 1.0)

    monkeypatch.setattr(REGISTRATION, "optimised_field", optimiser)


def registered(fixed, moving, **given):
    asked = options_of(init="none", **given)
    return register(read_pair(fixed, moving, asked), Noise(), asked)


@pytest.mark.parametrize("guard", [True, False])
@pytest.mark.parametrize(("three", "own", "kept"), [(4.0, -4.0, 4.0), (-4.0, 4.0, 4.0),
                                                    (3.0, 1.0, 3.0), (1.0, 3.0, 3.0)])  # fmt: skip
def test_of_thick_slices_the_field_with_more_information_wins(three, own, kept, guard, monkeypatch):
    asked = candidates(monkeypatch, three, own)
    found = registered(*textured((8, 60, 56), (2.0, 2.0, 7.0)), guard=guard)
    assert asked == ["three", "own"]
    assert found.elastic.planes == (tuple(PLANES) if kept == three else ("axial",))
    np.testing.assert_allclose(vectors(found.field)[..., 0], kept, atol=1e-5)


@pytest.mark.parametrize(("plane", "expected"), [("auto", 4.0), ("axial", 1.5)])
def test_the_field_of_a_plane_is_as_uncertain_as_that_in_space(plane, expected, monkeypatch):
    """Where that is found: alone, it tells how much its own estimates differ."""
    candidates(monkeypatch, -4.0, 4.0)
    three, own = REGISTRATION.three_plane_field, REGISTRATION.slice_fields

    def three_planes(pair, network):
        wide = sitk.Cast(pair.grid, sitk.sitkFloat32) * 0 + 4.0
        return replace(three(pair, network), spread=wide)

    def slice_fields(image, head, *rest):
        return own(image, head, *rest)[0], torch.full_like(image[:1], 1.5)

    monkeypatch.setattr(REGISTRATION, "three_plane_field", three_planes)
    monkeypatch.setattr(REGISTRATION, "slice_fields", slice_fields)
    found = registered(*textured((8, 60, 56), (2.0, 2.0, 7.0)), plane=plane)
    assert found.elastic.planes == ("axial",)
    assert found.spread.GetSize() == found.elastic.field.GetSize()
    np.testing.assert_allclose(vectors(found.uncertainty), expected, rtol=1e-5)


def test_of_thin_slices_the_field_of_three_planes_is_taken(monkeypatch):
    asked = candidates(monkeypatch, 2.0, 4.0)
    found = registered(*textured((12, 60, 56), (2.0, 2.0, 3.0)))
    assert asked == ["three"] and found.elastic.planes == tuple(PLANES)
    np.testing.assert_allclose(vectors(found.field)[..., 0], 2.0, atol=1e-5)


@pytest.mark.parametrize("thickness", [3.0, 7.0])
def test_a_plane_that_is_asked_for_is_the_only_one(thickness, monkeypatch):
    asked = candidates(monkeypatch, 4.0, 2.0)
    found = registered(*textured((12, 60, 56), (2.0, 2.0, thickness)), plane="axial")
    assert asked == ["own"] and found.elastic.planes == ("axial",)
    np.testing.assert_allclose(vectors(found.field)[..., 0], 2.0, atol=1e-5)


@pytest.mark.parametrize("thickness", [3.0, 7.0])
def test_the_guard_keeps_the_start_where_every_field_lowers_the_information(thickness, monkeypatch):
    asked = candidates(monkeypatch, -4.0, -8.0)
    volumes = textured((12, 60, 56), (2.0, 2.0, thickness))
    found = registered(*volumes)
    assert asked == (["three"] if thickness == 3 else ["three", "own"])
    assert found.elastic is None and (vectors(found.field) == 0).all()
    torch.testing.assert_close(found.shown, found.initial.image[1])
    unguarded = registered(*volumes, guard=False)
    assert unguarded.elastic.planes == tuple(PLANES)  # 4 mm off is better than 8
    assert information(found.initial, unguarded.field) < information(found.initial)


def test_a_field_that_is_dropped_counts_as_uncertain(monkeypatch):
    def three_planes(pair, network):
        shift = sitk.TranslationTransform(3, (-3.0, 0.0, 0.0))
        wide = sitk.Cast(pair.grid, sitk.sitkFloat32) * 0 + 4.0
        return ElasticField(displacement_field(shift, pair.grid), wide, tuple(PLANES))

    candidates(monkeypatch, 0.0, 0.0)
    monkeypatch.setattr(REGISTRATION, "three_plane_field", three_planes)
    found = registered(*textured((12, 60, 56), (2.0, 2.0, 3.0)))
    assert found.elastic is None
    np.testing.assert_allclose(vectors(found.uncertainty), 5.0, rtol=1e-5)


@pytest.mark.parametrize(("gain", "kept"), [(1.0, True), (1.5, True), (100.0, False)])
def test_the_guard_wants_a_clear_gain(gain, kept, monkeypatch):
    candidates(monkeypatch, 2.0, 2.0)
    monkeypatch.setattr(REGISTRATION, "GAIN", gain)
    found = registered(*textured((12, 60, 56), (2.0, 2.0, 3.0)))
    assert (found.elastic is not None) == kept


@pytest.mark.parametrize(
    ("guard", "left", "used"), [(True, 3.0, 0.25), (False, 3.0, 1.0), (True, -3.0, 0.0)]
)
def test_what_the_guard_of_regions_leaves_has_to_bring_the_gain(guard, left, used, monkeypatch):
    candidates(monkeypatch, 4.0, 4.0)
    shift = sitk.TranslationTransform(3, (left, 0.0, 0.0))

    def guarded(pair, elastic):
        return replace(elastic, field=displacement_field(shift, pair.grid), used=0.25)

    monkeypatch.setattr(REGISTRATION, "guarded", guarded)
    found = registered(*textured((12, 60, 56), (2.0, 2.0, 3.0)), guard=guard)
    assert (found.elastic.used if found.elastic else 0.0) == used
    expected = {0.25: left, 1.0: 4.0, 0.0: 0.0}[used]
    np.testing.assert_allclose(vectors(found.field)[..., 0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("learnt", "optimised", "guard", "kept", "counted"),
    [
        (4.0, 4.0, True, 4.0, 0.6),
        (3.0, 5.0, True, 4.2, 0.6),
        (4.0, -9.0, True, 4.0, 0.0),  # the sum fails the guard, the network's field passes it
        (4.0, -9.0, False, 4.0, 0.0),  # the sum has much less information
        (-3.0, -4.0, True, 0.0, None),
    ],
)
def test_the_sum_of_network_and_optimiser(learnt, optimised, guard, kept, counted, monkeypatch):
    monkeypatch.setitem(WEIGHTS, None, (0.4, 0.6))
    candidates(monkeypatch, learnt, 0.0)
    optimiser_finds(monkeypatch, optimised)
    monkeypatch.setattr(REGISTRATION, "finer_field", lambda initial, pair, elastic: elastic)
    found = registered(*textured((12, 60, 56), (2.0, 2.0, 3.0)), guard=guard)
    assert (found.elastic.optimiser if found.elastic else None) == counted
    np.testing.assert_allclose(vectors(found.field)[..., 0], kept, atol=0.01)


@pytest.mark.parametrize(
    ("fixed", "moving", "thick"),
    [(3.0, 3.0, False), (4.0, 4.0, False), (7.0, 3.0, True), (3.0, 7.0, True)],
)
def test_slices_are_thick_where_those_of_either_volume_are(fixed, moving, thick, monkeypatch):
    candidates(monkeypatch, -3.0, 0.0)
    optimiser_finds(monkeypatch, -40.0)
    told = []

    def summed(pair, learnt, optimised, modality, thick):
        told.append(thick)
        return optimised

    monkeypatch.setattr(REGISTRATION, "combined", summed)
    volumes = [textured((12, 60, 56), (2.0, 2.0, apart))[0] for apart in (fixed, moving)]
    registered(*volumes)
    assert told == [thick]


def test_where_nothing_passes_the_guard_the_uncertainty_is_that_of_the_sum(monkeypatch):
    candidates(monkeypatch, -3.0, 0.0)
    optimiser_finds(monkeypatch, -40.0)

    def summed(pair, learnt, optimised, modality, thick):
        wide = sitk.Cast(pair.grid, sitk.sitkFloat32) * 0 + 4.0
        return replace(optimised, spread=wide)

    monkeypatch.setattr(REGISTRATION, "combined", summed)
    found = registered(*textured((12, 60, 56), (2.0, 2.0, 3.0)))
    assert found.elastic is None
    np.testing.assert_allclose(sitk.GetArrayFromImage(found.spread), np.hypot(4.0, 40.0), rtol=1e-5)


@pytest.mark.parametrize(
    ("summed", "guard", "kept"), [(1.0, True, 4.0), (-3.0, True, 0.0), (-3.0, False, 4.0)]
)
def test_a_sum_that_brings_the_gain_goes_on_in_finer_voxels(summed, guard, kept, monkeypatch):
    candidates(monkeypatch, summed, 0.0)

    def finer(initial, pair, elastic):
        shift = sitk.TranslationTransform(3, (4.0, 0.0, 0.0))
        return replace(elastic, field=displacement_field(shift, pair.grid), finer=True)

    optimiser_finds(monkeypatch, summed)
    monkeypatch.setattr(REGISTRATION, "finer_field", finer)
    found = registered(*textured((12, 60, 56), (2.0, 2.0, 3.0)), guard=guard)
    np.testing.assert_allclose(vectors(found.field)[..., 0], kept, atol=0.01)
    assert (found.elastic is not None and found.elastic.finer) == (kept == 4.0)


def test_rigid_only_asks_no_network(monkeypatch):
    asked = candidates(monkeypatch, 4.0, 4.0)
    found = registered(*textured((12, 60, 56), (2.0, 2.0, 3.0)), rigid_only=True)
    assert asked == [] and found.elastic is None and found.uncertainty is None


def test_what_is_not_finite_is_refused():
    class Broken(torch.nn.Module):
        def register(self, image):
            return torch.full_like(image, float("nan"))

    asked = options_of(init="none", plane="axial")
    pair = read_pair(*textured((12, 60, 56), (2.0, 2.0, 3.0)), asked)
    with pytest.raises(InputError, match="values that are not finite; check the checkpoint"):
        register(pair, Broken(), asked)
