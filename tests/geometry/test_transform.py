"""Volumes brought onto other grids."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.geometry.transform import (
    as_matrix,
    as_transform,
    compose,
    displacement_field,
    onto,
    resample,
)
from tests.registration.volumes import head, motion_of


@pytest.mark.parametrize("orientation", ["LPS", "PIR", "RAS"])
def test_a_volume_is_interpolated_on_another_grid_and_goes_on_beyond_its_border(orientation):
    z, y, x = np.indices((6, 7, 8)).astype(np.float64)
    volume = sitk.GetImageFromArray(x + 10 * y + 100 * z)
    volume.SetSpacing((2.0, 2.0, 2.0))
    volume.SetOrigin((5.0, -3.0, 1.0))
    grid = sitk.Image([20, 20, 20], sitk.sitkInt16)
    grid.SetOrigin((0.0, -8.0, -4.0))
    grid = sitk.DICOMOrient(grid, orientation)
    found = onto(volume, grid)
    assert found.GetPixelID() == sitk.sitkFloat32
    for said in ("GetSize", "GetOrigin", "GetSpacing", "GetDirection"):
        assert getattr(found, said)() == getattr(grid, said)()
    values = sitk.GetArrayFromImage(sitk.DICOMOrient(found, "LPS"))
    points = np.arange(20.0)
    places = [
        ((points + start - origin) / 2).clip(0, n - 1)
        for start, origin, n in ((0, 5, 8), (-8, -3, 7), (-4, 1, 6))
    ]
    expected = (
        places[0] + 10 * places[1][:, None] + 100 * places[2][:, None, None]
    )  # linear inside, as at the border outside
    inside = [(points + s >= o) & (points + s <= o + 2 * (n - 1)) for s, o, n in
              ((0, 5, 8), (-8, -3, 7), (-4, 1, 6))]  # fmt: skip
    within = inside[0] & inside[1][:, None] & inside[2][:, None, None]
    assert 0.1 < within.mean() < 0.5
    np.testing.assert_allclose(values[within], expected[within], atol=1e-3)
    assert np.abs(values - expected).max() <= 0.5 * 111 + 1e-3  # the nearest voxel's value
    assert values.min() == 0 and values.max() == 567


def test_total_transform_goes_through_field_then_start():
    grid, motion = head(), motion_of()
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


def test_resampling_beyond_a_volume_takes_its_nearest_voxel():
    values = sitk.GetImageFromArray(np.array([[[3, 5, 9]]], np.int16))
    grid = sitk.Image(7, 1, 1, sitk.sitkUInt8)
    grid.SetOrigin((-2.0, 0.0, 0.0))
    rows = [
        sitk.GetArrayFromImage(resample(values, grid, sitk.Transform(), beyond=one)).ravel()
        for one in (False, True)
    ]
    assert rows[0].tolist() == [3, 3, 3, 5, 9, 3, 3]
    assert rows[1].tolist() == [3, 3, 3, 5, 9, 9, 9]
    assert rows[1].dtype == np.int16
