"""A volume continued into a region that is not to count."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.geometry.fill import filled

SPACING = (1.0, 1.0, 3.5)


def volume_of(values, spacing=SPACING):
    image = sitk.GetImageFromArray(np.asarray(values, np.float64))
    image.SetSpacing(spacing)
    image.SetOrigin((-7.0, 3.0, 11.0))
    return image


def ball(shape=(16, 48, 40), radius=11.0):
    z, y, x = np.indices(shape)
    middle = [(n - 1) / 2 for n in shape]
    far = np.hypot(np.hypot(x - middle[2], y - middle[1]), 3.5 * (z - middle[0]))
    return (far < radius).astype(np.uint8)


def array(image):
    return sitk.GetArrayFromImage(image)


def test_a_bright_ball_in_one_value_is_gone():
    left_out = ball()
    found = filled(volume_of(np.where(left_out, 3000.0, 40.0)), volume_of(left_out))
    np.testing.assert_allclose(array(found), 40.0, rtol=1e-12)
    assert found.GetOrigin() == (-7.0, 3.0, 11.0) and found.GetSpacing() == SPACING


def test_what_is_not_left_out_stays_and_the_rest_lies_between():
    left_out = ball()
    values = np.random.default_rng(0).uniform(10, 90, left_out.shape)
    found = array(filled(volume_of(np.where(left_out, -5e4, values)), volume_of(left_out)))
    np.testing.assert_array_equal(found[left_out == 0], values[left_out == 0])
    inside = found[left_out > 0]
    assert inside.min() > 10 and inside.max() < 90


def test_a_ramp_goes_on_inside():
    """Its error is a share of the step over the region, in fine and in coarse directions."""
    left_out, places = ball(), np.indices((16, 48, 40))
    for axis, step in enumerate((3.5, 1.0, 1.0)):
        ramp = step * places[axis]
        found = array(filled(volume_of(ramp), volume_of(left_out)))
        error = abs(found - ramp)[left_out > 0]
        assert error.mean() < 1.5 and error.max() < 5.0  # of the 22 mm of the ball


def test_a_ball_as_stored_in_other_axes_is_the_same():
    left_out = ball((20, 40, 40), 9.0)
    values = np.random.default_rng(1).uniform(0, 1, left_out.shape)
    one = array(filled(volume_of(values, (1, 1, 2.0)), volume_of(left_out, (1, 1, 2.0))))
    turned = [volume_of(v.transpose(2, 0, 1), (1.0, 2.0, 1.0)) for v in (values, left_out)]
    np.testing.assert_allclose(array(filled(*turned)), one.transpose(2, 0, 1), atol=1e-12)


@pytest.mark.parametrize("mask", [np.zeros((4, 5, 6)), np.ones((4, 5, 6))])
def test_nothing_or_everything_left_out_changes_nothing(mask):
    volume = volume_of(np.arange(120.0).reshape(4, 5, 6))
    np.testing.assert_array_equal(array(filled(volume, volume_of(mask))), array(volume))
