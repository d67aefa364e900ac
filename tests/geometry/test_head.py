"""Where the head is in a volume."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.geometry.head import find_head


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
