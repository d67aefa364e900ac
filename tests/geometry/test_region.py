"""The part of an array that holds a mask."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.geometry.region import box_of, shrunk


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


def test_a_volume_brought_to_coarser_voxels_keeps_its_last_slices():
    values = np.zeros((19, 16, 16), np.float32)
    values[16:] = 7.0  # a voxel of 4 mm is four of 1 mm: three are left over
    volume = sitk.GetImageFromArray(values)
    small = shrunk(volume, 4.0, whole=True)
    assert small.GetSize() == (8, 8, 10) and small.GetSpacing() == (2.0, 2.0, 2.0)
    assert shrunk(volume, 4.0).GetSize() == (8, 8, 9)
    assert sitk.GetArrayFromImage(small)[-2:].min() == 7.0
