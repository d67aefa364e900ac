"""Motions found by searches along lines."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.geometry.transform import as_matrix
from bundle.registration.searched_motion import searched_motion
from bundle.registration.start_candidates import Candidate
from bundle.registration.start_similarity import similarity
from bundle.registration.start_volume import start_volume
from tests.registration.volumes import errors, head, motion_of, moved

NEAR = Candidate("near", np.eye(4))


@pytest.fixture(scope="module")
def volumes():
    motion = motion_of((0.04, -0.03, 0.05), (3.0, -4.0, 2.0))
    return start_volume(head()), start_volume(moved(head(invert=True), motion)), as_matrix(motion)


def test_a_rigid_motion_across_contrasts(volumes):
    fixed, moving, truth = volumes
    found = searched_motion(fixed, moving, NEAR)
    assert errors(np.eye(4), truth).min() > 3
    assert errors(found.matrix, truth).max() < 0.4
    assert found.name == NEAR.name
    turned = found.matrix[:3, :3]
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-9)
    assert similarity(fixed, moving, found.matrix) > similarity(fixed, moving, np.eye(4))


def test_the_motion_goes_before_the_placement(volumes):
    """It is about the fixed head's middle, so a placement that is right leaves nothing to do."""
    fixed, moving, truth = volumes
    begin = replace(NEAR, matrix=truth @ as_matrix(motion_of((0.0, 0.0, 0.0), (1.5, 0.0, -2.0))))
    found = searched_motion(fixed, moving, begin)
    assert errors(found.matrix, truth).max() < 0.4 < 2 < errors(begin.matrix, truth).min()


def test_an_affine_motion_stretches():
    wide = sitk.AffineTransform(3)
    wide.SetMatrix((1.06, 0.03, 0, 0, 0.95, 0, 0, 0, 1.0))
    fixed, moving = start_volume(head()), start_volume(moved(head(invert=True), wide))
    truth = as_matrix(wide)
    rigid = searched_motion(fixed, moving, NEAR)
    affine = searched_motion(fixed, moving, NEAR, affine=True)
    assert errors(affine.matrix, truth).max() < 0.5 < errors(rigid.matrix, truth).max()


def test_a_motion_by_a_part_of_a_thick_slice():
    motion = motion_of((0.05, 0.03, 0.02), (2.0, 1.0, 3.4))
    thick = sitk.BinShrink(moved(head(invert=True), motion), (1, 1, 2))
    fixed, moving = start_volume(sitk.BinShrink(head(), (1, 1, 2))), start_volume(thick)
    found = searched_motion(fixed, moving, NEAR)
    assert errors(found.matrix, as_matrix(motion)).max() < 0.8
