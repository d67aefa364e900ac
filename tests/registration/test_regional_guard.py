"""The guard of regions: what is kept of a field, and what falls back to the start."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy.ndimage import gaussian_filter, shift

from bundle.geometry.jacobian import volume_determinant
from bundle.registration.coarse import CoarsePair, scalar, vectors
from bundle.registration.elastic_field import ElasticField
from bundle.registration.regional_guard import BINS, CELL, local_information, where_closer
from bundle.registration.unfolding import LEAST

SIDE = 64
SHIFT = 3
"""Voxels of 2 mm."""


def information_of(first, second):
    """By the definition, in a loop."""
    joint = np.zeros((BINS, BINS))
    np.add.at(joint, (first, second), 1 / len(first))
    ends = joint.sum(axis=1), joint.sum(axis=0)
    return sum(
        joint[i, j] * np.log(joint[i, j] / ends[0][i] / ends[1][j])
        for i, j in zip(*np.nonzero(joint), strict=True)
    )


def test_the_information_of_a_cell_is_that_of_its_voxels_that_count():
    random = np.random.default_rng(0)
    shape = (CELL, 2 * CELL, CELL)
    fixed = random.integers(0, BINS, shape)
    moving = np.where(random.random(shape) < 0.3, random.integers(0, BINS, shape), fixed)
    where = random.random(shape) < 0.8
    found = local_information(fixed, moving, where, (1e-3,) * 3)
    assert found.shape == (1, 2, 1)
    for cell, part in enumerate((np.s_[:, :CELL], np.s_[:, CELL:])):
        inside = where[part]
        wanted = information_of(fixed[part][inside], moving[part][inside])
        assert found[0, cell, 0] == pytest.approx(wanted, rel=1e-4)
    nothing = local_information(fixed, moving, np.zeros_like(where), (1e-3,) * 3)
    np.testing.assert_array_equal(nothing, 0)


def halves(upper, lower):
    """A value per slice, with a smooth step in the middle."""
    return gaussian_filter(np.where(np.arange(SIDE) < SIDE // 2, lower, upper), 3.0, mode="nearest")


@pytest.fixture(scope="module")
def pair():
    """Texture; the moving volume shows it inverted, its lower half further along the columns."""
    random = np.random.default_rng(1)
    texture = gaussian_filter(random.random((SIDE, SIDE, SIDE)), 2.0)
    fixed = np.clip(0.5 + (texture - texture.mean()) / texture.std() / 5, 0, 1)
    steps = halves(0.0, float(SHIFT))
    slices = [shift(fixed[..., k], (0, steps[k]), order=1, mode="nearest") for k in range(SIDE)]
    image = torch.from_numpy(np.stack([fixed, 1 - np.stack(slices, axis=-1)]).astype(np.float32))
    grid = sitk.Image([SIDE] * 3, sitk.sitkUInt8)
    grid.SetSpacing([2.0] * 3)
    return CoarsePair(image, torch.ones(1, *[SIDE] * 3, dtype=torch.bool), (2.0,) * 3, grid)


def field_of(pair, upper, lower, spread=1.0):
    """Displacements along x of both halves, mm."""
    along = np.zeros((3, SIDE, SIDE, SIDE))
    along[0] = halves(upper, lower)
    wide = None if spread is None else scalar(np.full([SIDE] * 3, spread), pair.grid)
    return ElasticField(vectors(along, pair.grid), wide, ("axial",), 0.4)


def along_x(elastic):
    return sitk.GetArrayFromImage(elastic.field)[..., 0]


RIGHT = 2.0 * SHIFT
"""What lies at x in the fixed volume's lower half lies so many mm further in the moving one."""


def test_a_field_that_helps_everywhere_stays_as_it_is(pair):
    elastic = field_of(pair, 0.0, RIGHT)
    assert where_closer(pair, elastic) is elastic


def test_where_a_field_harms_the_start_is_left_and_the_field_counts_as_uncertain(pair):
    elastic = field_of(pair, -RIGHT, RIGHT)
    found = where_closer(pair, elastic)
    assert 0.4 < found.used < 0.75 and found.planes == ("axial",) and found.optimiser == 0.4
    moved = along_x(found)
    np.testing.assert_allclose(moved[: SIDE // 2 - 12], RIGHT, atol=1e-6)
    np.testing.assert_allclose(moved[SIDE // 2 + 12 :], 0.0, atol=1e-6)
    uncertain = sitk.GetArrayFromImage(found.spread)
    np.testing.assert_allclose(uncertain[: SIDE // 2 - 12], 1.0, rtol=1e-6)
    np.testing.assert_allclose(uncertain[SIDE // 2 + 12 :], np.hypot(1.0, RIGHT), rtol=1e-5)
    assert sitk.GetArrayFromImage(volume_determinant(found.field)).min() >= LEAST
    assert where_closer(pair, field_of(pair, -RIGHT, RIGHT, None)).spread is None


def test_a_field_on_another_grid_falls_back_at_the_same_places(pair):
    elastic = field_of(pair, -RIGHT, RIGHT)
    fine = sitk.Image([SIDE, SIDE, 2 * SIDE], sitk.sitkUInt8)
    fine.SetSpacing([2.0, 2.0, 1.0])
    fine.SetOrigin([0.0, 0.0, -0.5])
    there = sitk.Resample(elastic.field, fine, sitk.Transform(), sitk.sitkNearestNeighbor)
    found = where_closer(pair, ElasticField(there, None, ("axial",)))
    np.testing.assert_allclose(along_x(found)[: SIDE - 24], RIGHT, atol=1e-6)
    np.testing.assert_allclose(along_x(found)[SIDE + 24 :], 0.0, atol=1e-6)


def test_a_field_that_harms_everywhere_is_gone(pair):
    found = where_closer(pair, field_of(pair, -RIGHT, -RIGHT))
    assert found.used == 0.0
    np.testing.assert_array_equal(along_x(found), 0.0)
