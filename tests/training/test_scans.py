"""Painted heads as slabs and in thick slices: what is shown keeps its place."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.training.heads.scans import SLAB, THICK, WHOLE, as_scan
from bundle.training.heads.volumes import HeadPair


def by_height(count: int, step: float, origin: float) -> sitk.Image:
    """A volume whose values are heights in mm."""
    heights = origin + step * np.arange(count, dtype=np.float32)
    image = sitk.GetImageFromArray(np.broadcast_to(heights[:, None, None], (count, 6, 5)).copy())
    image.SetSpacing((1.5, 1.0, step))
    image.SetOrigin((-3.0, 4.0, origin))
    image.SetDirection([-1, 0, 0, 0, -1, 0, 0, 0, 1])
    return image


@pytest.fixture
def pair() -> HeadPair:
    fixed, moving = by_height(200, 1.0, -50.0), by_height(100, 2.0, -49.5)
    brain = sitk.Cast((fixed > 0) & (fixed < 120), sitk.sitkUInt8)
    return HeadPair(fixed, moving, "CT", brain)


def assert_in_place(pair: HeadPair) -> None:
    assert pair.brain.GetSize() == pair.fixed.GetSize()
    for image in (pair.fixed, pair.moving):
        values = sitk.GetArrayFromImage(image)
        heights = [image.TransformIndexToPhysicalPoint((0, 0, k))[2] for k in range(len(values))]
        np.testing.assert_allclose(values[:, 0, 0], heights, atol=1e-4)


def test_a_slab_shows_the_same_part_of_the_brain_in_both(pair):
    bottoms = set()
    for seed in range(20):
        cut = as_scan(pair, SLAB, seed)
        assert_in_place(cut)
        sides = [sitk.GetArrayFromImage(image)[[0, -1], 0, 0] for image in (cut.fixed, cut.moving)]
        assert np.abs(sides[0] - sides[1]).max() < 2.0
        assert 31.0 <= sides[0][1] - sides[0][0] <= 64.0
        assert sides[0][0] > 0 and sides[0][1] < 120
        assert sitk.GetArrayFromImage(cut.brain).all()
        bottoms.add(float(sides[0][0]))
    assert len(bottoms) > 15
    assert as_scan(pair, SLAB, 3).fixed.GetOrigin() == as_scan(pair, SLAB, 3).fixed.GetOrigin()


def test_thick_slices_are_means_of_thin_ones(pair):
    steps = set()
    for seed in range(10):
        thick = as_scan(pair, THICK, seed)
        assert_in_place(thick)
        assert all(4.0 <= one.GetSpacing()[2] <= 8.0 for one in (thick.fixed, thick.moving))
        assert thick.fixed.GetSpacing()[:2] == pair.fixed.GetSpacing()[:2]
        brain = sitk.GetArrayFromImage(thick.brain)[:, 0, 0]
        heights = sitk.GetArrayFromImage(thick.fixed)[:, 0, 0]
        assert ((heights >= 0.5) & (heights <= 119.5))[brain == 1].all() and brain.sum() > 10
        steps.add(thick.fixed.GetSpacing()[2])
    assert len(steps) > 2


def test_a_whole_head_stays_as_it_is(pair):
    assert as_scan(pair, WHOLE, 1) is pair
