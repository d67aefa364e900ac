"""Where the head is in a volume."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.geometry.head import find_head, without_padding


def ball(background, size=(40, 60, 60)):
    z, y, x = np.indices(size)
    inside = (z - 20) ** 2 + (y - 30) ** 2 + (x - 25) ** 2 < 15**2
    return sitk.GetImageFromArray(np.where(inside, 100.0, background))


@pytest.mark.parametrize("background", [0.0, -1000.0, 20.0])
def test_the_head_is_found_whatever_surrounds_it(background):
    volume = ball(background)
    truth = sitk.GetArrayFromImage(volume) == 100.0
    for field_of_view in (volume, sitk.ConstantPad(volume, [40] * 3, [9] * 3, background)):
        head = sitk.GetArrayFromImage(find_head(field_of_view)).astype(bool)
        true = truth if head.shape == truth.shape else np.pad(truth, [(40, 9)] * 3)
        assert 2 * (head & true).sum() / (head.sum() + true.sum()) > 0.9


def dice(found, truth):
    found = sitk.GetArrayFromImage(found).astype(bool)
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


def of_a_head(values=100.0, background=0.0):
    """A ball as large as a head in voxels of 4 mm, and where it is."""
    volume = ball(background)
    volume.SetSpacing((4.0, 4.0, 4.0))
    truth = sitk.GetArrayFromImage(volume) == 100.0
    array = sitk.GetArrayFromImage(volume)
    array[truth] = values
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(volume)
    return image, truth


def test_a_hot_spot_is_not_the_head():
    volume, truth = of_a_head()
    volume[50:53, 3:6, 3:6] = 6000.0
    assert dice(find_head(volume), truth) > 0.95


@pytest.mark.parametrize("padding", [31743.0, 62512.0])
def test_bright_padding_is_not_the_head(padding):
    volume, truth = of_a_head(values=40.0, background=-1000.0)
    array = sitk.GetArrayFromImage(volume)
    y, x = np.indices(array.shape[1:]) - 29.5
    array[:, np.hypot(x, y) > 31] = padding
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(volume)
    assert dice(find_head(image), truth) > 0.95
    filled = sitk.GetArrayFromImage(without_padding(image))
    np.testing.assert_array_equal(filled, sitk.GetArrayFromImage(volume))


def test_a_volume_without_padding_stays():
    volume, _ = of_a_head()
    assert without_padding(volume) is volume
    bright = sitk.GetImageFromArray(np.arange(27000.0).reshape(30, 30, 30))
    assert without_padding(bright) is bright


def test_a_background_in_the_middle_of_the_values_is_not_the_head():
    random = np.random.default_rng(0)
    volume, truth = of_a_head()
    scores = random.normal(0.0, 1.0, truth.sum())
    array = np.zeros(truth.shape)
    array[truth] = np.where(abs(scores) < 0.3, 0.5, scores)
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(volume)
    assert dice(find_head(image), truth) > 0.95


def test_all_of_a_volume_counts_where_nothing_stands_out():
    noise = np.random.default_rng(0).random((40, 40, 40))
    assert sitk.GetArrayFromImage(find_head(sitk.GetImageFromArray(noise))).mean() > 0.9


def test_a_head_reaches_the_last_of_fine_slices():
    """Also where their number is no multiple of those that make a coarse voxel."""
    values = np.zeros((65, 64, 64), np.float32)
    values[:, 12:52, 12:52] = 100.0
    volume = sitk.GetImageFromArray(values)
    volume.SetSpacing((3.0, 3.0, 0.5))
    found = sitk.GetArrayFromImage(find_head(volume))
    assert found[:, 32, 32].all()
