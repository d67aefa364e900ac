"""A moving volume that covers a part of the head has no edge where it ends."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.geometry.grid import image_on
from bundle.geometry.slices import in_plane_of
from bundle.images.pair import read_pair
from bundle.options import options_of
from bundle.registration import initialize, register
from bundle.registration.coarse import coarse_of
from bundle.registration.elastic_field import ElasticField
from bundle.registration.field_of_view import beyond_field_of_view, uncertain_beyond
from bundle.registration.masked import Masked
from bundle.registration.optimised import optimised_field
from tests.inference.stubs import KnownField
from tests.registration.volumes import SHIFT, shifted, vectors

REGISTRATION = sys.modules[register.__module__]

CUT = 14
"""Slices at the bottom that the moving volume lacks."""


def still(grid):
    """A field of no displacement on a grid."""
    image = sitk.Image(grid.GetSize(), sitk.sitkVectorFloat64, 3)
    image.CopyInformation(grid)
    return ElasticField(image, None, ())


def cut(initial):
    """The pair with a moving volume that lacks its lowest slices, by the headers."""
    pair = initial.pair
    asked = options_of(init="none", modality="MR")
    part = pair.moving.image[:, :, CUT:]
    return initialize(read_pair(pair.fixed.image, part, asked), asked)


@pytest.fixture(scope="module")
def whole():
    return shifted()


@pytest.fixture(scope="module")
def part(whole):
    return cut(whole)


def test_a_volume_that_covers_the_head_stays_as_it_is(whole):
    assert whole.overlap == 1.0
    assert beyond_field_of_view(whole) is whole


def test_the_outermost_slice_goes_on(part):
    found = beyond_field_of_view(part)
    assert part.overlap < 1.0
    assert torch.equal(found.image[0], part.image[0])
    assert torch.equal(found.image[1, ..., CUT:], part.image[1, ..., CUT:])
    beyond = found.image[1, ..., :CUT]
    torch.testing.assert_close(beyond, part.image[1, ..., CUT:][..., :1].expand_as(beyond))
    assert (part.image[1, ..., :CUT] == 0).all()


def test_beyond_it_all_of_the_field_is_uncertain(whole, part):
    grid = part.pair.fixed.image
    shape = grid.GetSize()[::-1]
    field = image_on(grid, np.full((*shape, 3), (2.0, 3.0, 6.0)))
    elastic = ElasticField(field, image_on(grid, np.full(shape, 24.0, np.float32)), ())
    assert uncertain_beyond(whole, elastic) is elastic
    found = uncertain_beyond(part, elastic)
    values = sitk.GetArrayFromImage(found.spread)
    assert (values[:CUT] == 25.0).all() and (values[CUT:] == 24.0).all()
    assert found.field is field


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_it_goes_on_in_every_plane(part, plane):
    pair = replace(part.pair, plane=plane)
    image, head = (in_plane_of(one, "axial", plane) for one in (part.image, part.head))
    found = beyond_field_of_view(replace(part, pair=pair, image=image, head=head)).image
    expected = beyond_field_of_view(part).image
    torch.testing.assert_close(in_plane_of(found, plane, "axial"), expected)


def test_with_masks_what_is_registered_goes_on(part):
    filled = 0.5 * part.pair.moving.image
    masked = Masked(0.5 * part.image, filled, part.head)
    initial = replace(part, masked=masked)
    found = beyond_field_of_view(initial)
    assert found.image is initial.image
    assert torch.equal(found.matched[0], masked.image[0])
    low, high = part.windows[1]
    lowest = sitk.GetArrayFromImage(filled)[0]
    expected = ((lowest - low) / (high - low)).clip(0, 1)
    assert found.matched[1, ..., 0].numpy() == pytest.approx(expected, abs=1e-4)


def test_the_field_is_closer_to_the_truth_where_the_moving_volume_ends(part):
    errors = []
    for initial in (part, beyond_field_of_view(part)):
        field = vectors(optimised_field(coarse_of(initial), "MR").field)
        near = field[CUT // 2 : CUT // 2 + 4, 8:-8, 8:-8]  # voxels of 2 mm above the cut
        errors.append(float(np.linalg.norm(near - SHIFT, axis=-1).mean()))
    assert errors[1] < 0.7 * errors[0]


def test_the_optimiser_and_the_finer_field_see_it_and_the_networks_do_not(part, monkeypatch):
    seen = {}

    def record(name, result):
        def stage(*given):
            moving = [one.image[1] for one in given if hasattr(one, "image")]
            seen[name] = [bool((one[..., : CUT // 2 - 1] > 0).any()) for one in moving]
            return result

        return stage

    field = still(coarse_of(part).grid)
    monkeypatch.setattr(REGISTRATION, "three_plane_field", record("network", field))
    monkeypatch.setattr(REGISTRATION, "optimised_field", record("optimiser", field))
    monkeypatch.setattr(REGISTRATION, "combined", record("combiner", field))
    monkeypatch.setattr(REGISTRATION, "finer_field", record("finer", field))
    monkeypatch.setattr(REGISTRATION, "GAIN", 0.0)
    register(part, KnownField(), options_of(init="none", modality="MR"))
    assert seen == {
        "network": [False], "optimiser": [True], "combiner": [False], "finer": [True, True],
    }  # fmt: skip
