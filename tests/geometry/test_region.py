"""The part of an array that holds a mask."""

import numpy as np
import pytest

from bundle.geometry.region import box_of


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (0, (slice(3, 6), slice(1, 3), slice(0, 8))),
        (2, (slice(1, 8), slice(0, 5), slice(0, 8))),
        ((1, 0, 5), (slice(2, 7), slice(1, 3), slice(0, 8))),
    ],
)
def test_a_box_holds_the_mask_and_room_inside_the_array(room, expected):
    mask = np.zeros((9, 7, 8), bool)
    mask[3, 1, 0] = mask[5, 2, 7] = True
    assert box_of(mask, room) == expected
