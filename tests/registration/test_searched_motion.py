"""Motions found by searches along lines."""

from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.geometry.transform import as_matrix
from bundle.registration import searched_motion as module
from bundle.registration.searched_motion import RADIUS, searched_motion
from bundle.registration.start_candidates import Candidate, points_of
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


def test_the_motion_is_one_of_the_fixed_points_about_their_head(volumes, monkeypatch):
    """A turn of a tenth and a shift go before a placement that turns, of a head far from 0."""
    far = head(middle=(9.0, -6.0, 3.0))
    far.SetOrigin(tuple(np.add(far.GetOrigin(), (200.0, 100.0, -50.0))))
    steps = np.array([0.0, 0.0, 0.1 * RADIUS, 3.0, 0.0, 0.0])
    monkeypatch.setattr(module, "minimize", lambda *_, **__: SimpleNamespace(x=steps))
    begin = Candidate("turned", as_matrix(motion_of()))
    fixed = start_volume(far)
    found = searched_motion(fixed, volumes[1], begin).matrix
    middle = np.append(points_of(fixed.head).mean(axis=0), 1.0)
    np.testing.assert_allclose(found @ middle, begin.matrix @ (middle + (3.0, 0, 0, 0)), atol=1e-9)
    turn = (np.linalg.inv(begin.matrix) @ found)[:2, :2]
    expected = [[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]]
    np.testing.assert_allclose(turn, expected, atol=1e-9)


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
