"""The part of a volume around the head."""

import numpy as np
import pytest

from bundle.registration.around_head import blurred, continued


def test_beyond_a_box_the_outermost_values_go_on():
    part = np.arange(2 * 3 * 2 * 2.0).reshape(2, 3, 2, 2)
    box = (slice(1, 4), slice(0, 2), slice(2, 4))
    whole = continued(part, box, (6, 2, 5))
    assert whole.shape == (2, 6, 2, 5)
    np.testing.assert_array_equal(whole[(slice(None), *box)], part)
    np.testing.assert_array_equal(whole[:, 5, :, 4], part[:, 2, :, 1])
    np.testing.assert_array_equal(whole[:, 0, :, 0], part[:, 0, :, 0])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_wave_is_blurred_by_millimetres_along_each_axis(axis):
    spacing = (1.0, 2.0, 4.0)
    ramp = np.arange(64.0).reshape([-1 if k == axis else 1 for k in range(3)])
    wave = np.cos(2 * np.pi / 16 * ramp) + np.zeros([64 if k == axis else 3 for k in range(3)])
    found = blurred(np.stack([wave, 2 * wave, wave]), 4.0, spacing)
    left = np.exp(-0.5 * (4.0 / spacing[axis] * 2 * np.pi / 16) ** 2)
    inner = tuple(slice(24, 40) if k == axis else slice(None) for k in range(3))
    np.testing.assert_allclose(found[1][inner], 2 * left * wave[inner], atol=2e-2)
