"""The 3D start against known rigid motions."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.geometry.transform import as_matrix, as_transform, compose, displacement_field
from bundle.options import options_of
from bundle.registration import rigid as module
from bundle.registration.rigid import find_start


def head(center=(0.0, 0.0, 0.0), invert=False):
    """An egg with two unlike holes: no symmetry is left to get lost in."""
    axis = np.arange(-60, 61, 3.0)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    x, y, z = x - center[0], y - center[1], z - center[2]
    values = (((x / 36) ** 2 + (y / 46) ** 2 + (z / 40) ** 2) < 1).astype(float)
    values[((x - 12) ** 2 + (y + 15) ** 2 + (z - 8) ** 2) < 100] = 0.4
    values[((x + 10) ** 2 + (y - 18) ** 2 + (z + 12) ** 2) < 144] = 0.7
    if invert:
        values = np.where(values > 0, 1.2 - values, 0)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((3.0, 3.0, 3.0))
    image.SetOrigin((-60.0, -60.0, -60.0))
    return sitk.SmoothingRecursiveGaussian(image, 3.0)


def moved(image, motion):
    """The image carried along by ``motion``: fixed point x is found at motion(x)."""
    return sitk.Resample(image, image, motion.GetInverse(), sitk.sitkLinear, 0.0)


@pytest.fixture(scope="module")
def motion():
    return sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.05, -0.04, 0.12, (7.0, -5.0, 4.0))


def test_rigid_start_finds_the_motion_across_contrasts(motion):
    matrix = find_start(head(), moved(head(invert=True), motion)).matrix
    points = np.array([(20, 0, 0, 1), (0, -30, 0, 1), (0, 0, 25, 1), (-20, 20, -20, 1)], float).T
    error = np.linalg.norm(((matrix - as_matrix(motion)) @ points)[:3], axis=0)
    before = np.linalg.norm(((np.eye(4) - as_matrix(motion)) @ points)[:3], axis=0)
    assert before.mean() > 8
    assert error.mean() < 1.0


def test_a_larger_field_of_view_does_not_change_the_start(motion):
    fixed, moving = head(), moved(head(invert=True), motion)
    wide = sitk.ConstantPad(fixed, [20, 11, 7], [12, 30, 9], 0.0)
    points = np.array([(20, 0, 0, 1), (0, -30, 0, 1), (0, 0, 25, 1), (-20, 20, -20, 1)], float).T
    difference = (find_start(wide, moving).matrix - find_start(fixed, moving).matrix) @ points
    assert np.linalg.norm(difference[:3], axis=0).max() < 0.5


def test_stored_orientation_does_not_change_the_start(motion):
    fixed, moving = head(), moved(head(invert=True), motion)
    expected = find_start(fixed, moving).matrix
    other = find_start(sitk.DICOMOrient(fixed, "SRA"), sitk.DICOMOrient(moving, "LAS")).matrix
    np.testing.assert_allclose(other, expected, atol=1e-6)


def test_aligned_volumes_keep_their_headers():
    found = find_start(head(), head(invert=True))
    np.testing.assert_allclose(found.matrix, np.eye(4), atol=0.05)
    assert found.remarks == ()


def test_a_start_has_to_match_clearly_better_than_the_headers(motion, monkeypatch):
    fixed, moving = head(), moved(head(invert=True), motion)
    monkeypatch.setattr(module, "GAIN", 1e6)
    found = find_start(fixed, moving)
    np.testing.assert_array_equal(found.matrix, np.eye(4))
    assert found.source == "the headers"


@pytest.mark.parametrize("slices", [2, 3])
def test_a_few_slices_are_brought_together_too(slices):
    motion = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.0, 0.0, 0.15, (9.0, -6.0, 0.0))
    few = head()[:, :, 20 : 20 + slices]
    found = as_transform(
        find_start(few, moved(head(invert=True), motion)[:, :, 20 : 20 + slices]).matrix
    )
    for point in ((20.0, 0.0, 0.0), (0.0, -30.0, 0.0)):
        apart = np.subtract(found.TransformPoint(point), motion.TransformPoint(point))
        assert np.hypot(*apart[:2]) < 1.5


@pytest.mark.parametrize("init", ["none", "header"])
def test_header_trusts_the_headers_and_center_the_middles(init):
    moving = head()
    moving.SetOrigin((-50.0, -60.0, -60.0))
    assert (find_start(head(), moving, init).matrix == np.eye(4)).all()
    expected = np.eye(4)
    expected[0, 3] = 10.0
    np.testing.assert_allclose(find_start(head(), moving, "center").matrix, expected, atol=1e-9)


def test_moments_puts_the_heads_onto_each_other_whatever_surrounds_them():
    moving = sitk.ConstantPad(head(center=(12.0, -9.0, 6.0)), [20, 0, 0], [0, 15, 0], 0.0)
    expected = np.eye(4)
    expected[:3, 3] = (12.0, -9.0, 6.0)
    found = find_start(head(), moving, "moments").matrix
    np.testing.assert_allclose(found, expected, atol=0.5)


@pytest.mark.parametrize("init", ["none", "header"])
def test_volumes_apart_are_refused_where_the_headers_are_trusted(init):
    moving = head()
    moving.SetOrigin((1000.0, 0.0, 0.0))
    with pytest.raises(InputError, match="do not overlap .* init rigid"):
        find_start(head(), moving, init)
    assert find_start(head(), moving, "center").matrix[0, 3] == pytest.approx(1060.0)


def test_an_unknown_start_is_refused():
    with pytest.raises(
        InputError, match="init elastic: give one of rigid, header, center, moments"
    ):
        options_of(init="elastic")


def test_total_transform_goes_through_field_then_start(motion):
    grid = head()
    array = np.zeros((*grid.GetSize(), 3), np.float32)
    array[..., 0] = 2.0
    field = sitk.GetImageFromArray(array, isVector=True)
    field.CopyInformation(grid)
    total = compose(as_matrix(motion), field)
    point = (3.0, 6.0, -9.0)
    expected = motion.TransformPoint((5.0, 6.0, -9.0))
    np.testing.assert_allclose(total.TransformPoint(point), expected, atol=1e-6)
    displacement = displacement_field(total, grid).GetPixel(
        grid.TransformPhysicalPointToIndex(point)
    )
    np.testing.assert_allclose(np.add(point, displacement), expected, atol=1e-4)
    np.testing.assert_allclose(as_matrix(as_transform(as_matrix(motion))), as_matrix(motion))
