"""The optimiser's field in space."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy.ndimage import gaussian_filter

from bundle.geometry.slices import to_slices
from bundle.registration import optimised as module
from bundle.registration.around_head import ROOM
from bundle.registration.coarse import coarse_pair
from bundle.registration.optimised import BLURRED, NEAR, optimised_field
from tests.inference.images import smooth
from tests.registration.volumes import TILT, UPRIGHT, coded
from tests.registration.volumes import vectors as values_of


def pair_of(volume, head=None):
    image = to_slices(volume).expand(2, -1, -1, -1).float()
    return coarse_pair(image, torch.ones_like(image[:1]) if head is None else head, volume)


@pytest.mark.parametrize("orientation", ["LPS", "PIR"])
@pytest.mark.parametrize("direction", [UPRIGHT, TILT], ids=["upright", "oblique"])
def test_voxels_become_mm_to_the_left_back_and_top(direction, orientation, monkeypatch):
    told = (3.0, -2.0, 1.0)  # voxels along rows, columns and slices

    def constant(fixed, *_):
        return np.broadcast_to(np.reshape(told, (3, 1, 1, 1)), (3, *fixed.shape))

    monkeypatch.setattr(module, "convex_adam", constant)
    volume = coded((80, 64, 24), (1.0, 2.0, 4.0), direction, orientation)
    field = optimised_field(pair_of(volume)).field
    upright = np.reshape(sitk.DICOMOrient(volume, "LPS").GetDirection(), (3, 3))
    expected = upright @ (np.array(field.GetSpacing()) * [-2.0, 3.0, 1.0])
    np.testing.assert_allclose(values_of(field) - expected, 0, atol=1e-4)


def test_the_head_alone_is_registered_and_beyond_it_the_field_goes_on(monkeypatch):
    seen = []

    def rows(fixed, moving, near):
        seen.append(fixed.shape)
        expected = np.zeros(fixed.shape, bool)
        beyond = ROOM - NEAR  # voxels of the box, of which the first and the last is repeated
        expected[beyond + 2 : -beyond - 2, beyond + 1 : -beyond - 1, beyond + 2 : -beyond - 2] = 1
        np.testing.assert_array_equal(near, expected)
        ramp = np.arange(fixed.shape[0], dtype=np.float64)[:, None, None]
        return np.stack(np.broadcast_arrays(0.1 * ramp + np.zeros(fixed.shape), 0.0, 0.0))

    monkeypatch.setattr(module, "convex_adam", rows)
    head = torch.zeros(1, 64, 64, 64)
    head[:, 20:40, 22:44, 24:50] = 1
    field = values_of(optimised_field(pair_of(coded((64,) * 3, (2.0,) * 3), head)).field)
    assert seen == [(36, 36, 42)]  # 32, 34 and 38 voxels in whole cells
    filled = 2  # voxels before the box
    first = 20 - ROOM - filled
    np.testing.assert_allclose(field[0, 25:35, 0, 1], 0.2 * (np.arange(25, 35) - first), atol=1e-6)
    np.testing.assert_allclose(field[:, :5, :, 1], 0.2 * filled, atol=1e-6)
    np.testing.assert_allclose(field[:, 60, :, 1], 0.2 * (39 + ROOM - first), atol=1e-6)


def test_thin_volumes_have_none():
    assert optimised_field(pair_of(coded((64, 64, 5), (2.0, 2.0, 3.0)))) is None


@pytest.mark.parametrize("depth", [56, 16])
def test_a_shift_is_found_whatever_the_contrast_and_the_thickness(depth):
    fixed = sitk.GetImageFromArray(smooth((56, 60, 64), 1, 3.0)[:depth])
    fixed.SetSpacing((2.0, 2.0, 2.0))
    moving = sitk.Resample(fixed, fixed, sitk.TranslationTransform(3, (-4.0, 2.0, 0.0)))
    image = torch.cat([to_slices(fixed), 1 - to_slices(moving)]).float()
    pair = coarse_pair(image, torch.ones_like(image[:1]), fixed)
    field = values_of(optimised_field(pair).field)[depth // 4 : -depth // 4, 15:-15, 15:-15]
    np.testing.assert_allclose(field.reshape(-1, 3).mean(axis=0), (4.0, -2.0, 0.0), atol=0.5)


@pytest.mark.parametrize("modality", [*BLURRED])
def test_the_fixed_head_is_as_blurred_as_the_moving_one_and_its_background_is_0(
    modality, monkeypatch
):
    seen = []

    def still(*images):
        seen.extend(images[:2])
        return np.zeros((3, *images[0].shape))

    monkeypatch.setattr(module, "convex_adam", still)
    volume = sitk.GetImageFromArray(np.random.default_rng(0).random((60, 60, 60)))
    volume.SetSpacing((2.0, 2.0, 2.0))
    head = torch.zeros(1, 60, 60, 60)
    head[:, 12:48, 12:48, 12:48] = 1  # with ROOM whole cells
    pair = pair_of(volume, head)
    optimised_field(pair, modality)
    fixed, moving = (one[ROOM:-ROOM, ROOM:-ROOM, ROOM:-ROOM] for one in seen)
    source = pair.image[0, 12:48, 12:48, 12:48].numpy()
    np.testing.assert_array_equal(moving, source)
    assert (seen[1] > 0).all() and (seen[0] > 0).sum() == fixed.size == (fixed > 0).sum()
    expected = gaussian_filter(pair.image[0].numpy(), BLURRED[modality] / 2)[18:42, 18:42, 18:42]
    np.testing.assert_allclose(fixed[6:-6, 6:-6, 6:-6], expected, atol=1e-5)
    assert (fixed.std() < 0.5 * source.std()) == (BLURRED[modality] > 1)
