"""The part of a volume around the head."""

import numpy as np

from bundle.registration.around_head import continued


def test_beyond_a_box_the_outermost_values_go_on():
    part = np.arange(2 * 3 * 2 * 2.0).reshape(2, 3, 2, 2)
    box = (slice(1, 4), slice(0, 2), slice(2, 4))
    whole = continued(part, box, (6, 2, 5))
    assert whole.shape == (2, 6, 2, 5)
    np.testing.assert_array_equal(whole[(slice(None), *box)], part)
    np.testing.assert_array_equal(whole[:, 5, :, 4], part[:, 2, :, 1])
    np.testing.assert_array_equal(whole[:, 0, :, 0], part[:, 0, :, 0])
