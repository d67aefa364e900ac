"""The guard of regions: what is kept of a field, and what falls back to the start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy.ndimage import gaussian_filter, shift

from bundle.geometry.grid import same_extent
from bundle.geometry.jacobian import volume_determinant
from bundle.registration.coarse import CoarsePair, from_voxels, in_voxels, scalar
from bundle.registration.elastic_field import ElasticField
from bundle.registration.regional_guard import BINS, CELL, guarded, local_information
from bundle.registration.unfolding import LEAST
from tests.registration.volumes import TILT

ROWS = 96
SHAPE = (ROWS, 56, 40)
SPACING = (2.0, 2.5, 3.0)
SHIFT = 3.0
"""Voxels along the columns."""


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
    found = local_information(fixed[where], moving[where], where, (1e-3,) * 3)
    assert found.shape == (1, 2, 1)
    for cell, part in enumerate((np.s_[:, :CELL], np.s_[:, CELL:])):
        inside = where[part]
        wanted = information_of(fixed[part][inside], moving[part][inside])
        assert found[0, cell, 0] == pytest.approx(wanted, rel=1e-4)
    none = np.zeros_like(where)
    nothing = local_information(fixed[none], moving[none], none, (1e-3,) * 3)
    np.testing.assert_array_equal(nothing, 0)


def halves(front, back):
    """A value per row, with a smooth step in the middle."""
    steps = np.where(np.arange(ROWS) < ROWS // 2, front, back)
    return gaussian_filter(steps.astype(np.float64), 3.0, mode="nearest")


@pytest.fixture(scope="module", params=["upright", "oblique"])
def pair(request):
    """Texture in a head; the moving volume shows it inverted, in front further along columns."""
    texture = gaussian_filter(np.random.default_rng(1).random(SHAPE), 2.0)
    fixed = np.clip(0.5 + (texture - texture.mean()) / texture.std() / 5, 0, 1)
    steps = halves(SHIFT, 0.0)
    rows = [shift(fixed[k], (steps[k], 0), order=1, mode="nearest") for k in range(ROWS)]
    image = torch.from_numpy(np.stack([fixed, 1 - np.stack(rows)]).astype(np.float32))
    head = torch.zeros(1, *SHAPE, dtype=torch.bool)
    head[:, 2:-2, 4:-4, 4:-4] = True
    grid = sitk.Image([SHAPE[1], SHAPE[0], SHAPE[2]], sitk.sitkUInt8)
    grid.SetSpacing([SPACING[1], SPACING[0], SPACING[2]])
    grid.SetOrigin((10.0, -20.0, 30.0))
    if request.param == "oblique":
        grid.SetDirection(np.ravel(TILT).tolist())
    return CoarsePair(image, head, SPACING, grid)


def field_of(pair, front, back, spread=1.0):
    """Displacements along the columns, voxels, in both halves."""
    along = np.zeros((3, *SHAPE))
    along[1] = halves(front, back)[:, None, None]
    wide = None if spread is None else scalar(np.full(SHAPE, spread), pair.grid)
    return ElasticField(from_voxels(along, pair), wide, ("axial",), 0.4)


def columns_of(elastic):
    """Displacement along the columns, voxels, (H, W, D)."""
    moved = in_voxels(elastic.field, SPACING)
    np.testing.assert_allclose(moved[[0, 2]], 0, atol=1e-9)
    return moved[1]


FRONT, BACK = slice(0, ROWS // 2 - 16), slice(ROWS // 2 + 16, None)
"""Rows away from the step, further than the window reaches."""


def test_a_field_that_helps_everywhere_stays_as_it_is(pair):
    elastic = field_of(pair, SHIFT, 0.0)
    assert guarded(pair, elastic) is elastic


def test_where_a_field_harms_the_start_is_left_and_the_field_counts_as_uncertain(pair):
    found = guarded(pair, field_of(pair, SHIFT, -SHIFT))
    assert 0.4 < found.used < 0.75 and found.planes == ("axial",) and found.optimiser == 0.4
    moved, head = columns_of(found), pair.head[0].numpy()
    np.testing.assert_allclose(moved[FRONT], SHIFT, atol=1e-6)
    np.testing.assert_allclose(moved[BACK][head[BACK]], 0.0, atol=1e-6)
    uncertain = np.moveaxis(sitk.GetArrayFromImage(found.spread), 0, 2)
    np.testing.assert_allclose(uncertain[FRONT], 1.0, rtol=1e-6)
    lost = np.hypot(1.0, SHIFT * SPACING[1])
    np.testing.assert_allclose(uncertain[BACK][head[BACK]], lost, rtol=1e-5)
    assert sitk.GetArrayFromImage(volume_determinant(found.field)).min() >= LEAST
    assert guarded(pair, field_of(pair, SHIFT, -SHIFT, None)).spread is None


def test_only_the_head_counts(pair):
    front = pair.head.clone()
    front[:, ROWS // 2 - 8 :] = False
    elastic = field_of(pair, SHIFT, -SHIFT)
    assert guarded(replace(pair, head=front), elastic) is elastic


def test_a_field_on_another_grid_falls_back_at_the_same_places(pair):
    elastic = field_of(pair, SHIFT, -SHIFT)
    fine = same_extent(pair.grid, (SHAPE[1], 2 * SHAPE[0], SHAPE[2]))
    there = sitk.Resample(elastic.field, fine, sitk.Transform(), sitk.sitkNearestNeighbor)
    there = sitk.DICOMOrient(there, "RAS")
    found = guarded(pair, ElasticField(there, None, ("axial",)))
    back = sitk.Resample(found.field, pair.grid, sitk.Transform(), sitk.sitkNearestNeighbor)
    moved, head = columns_of(replace(found, field=back)), pair.head[0].numpy()
    np.testing.assert_allclose(moved[FRONT][head[FRONT]], SHIFT, atol=1e-6)
    np.testing.assert_allclose(moved[BACK][head[BACK]], 0.0, atol=1e-6)


def test_a_field_that_harms_everywhere_is_gone(pair):
    found = guarded(pair, field_of(pair, -SHIFT, -SHIFT))
    assert found.used == 0.0
    np.testing.assert_array_equal(columns_of(found)[pair.head[0].numpy()], 0.0)
