"""Registrations by other packages bring a moved volume back, in any orientation of its grid."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from bundle.evaluation.baselines.ants import syn_volumes
from bundle.evaluation.baselines.convex_adam import SETTINGS, convex_adam_volumes
from bundle.evaluation.checks.volume_errors import mean_error
from bundle.geometry.region import widened

SHIFT = sitk.TranslationTransform(3, (4.0, -3.0, 2.0))


def volume(shape=(32, 40, 36), spacing=2.0):
    """A head of blobs, whose axes run to the right, the front and the top, and its mask."""
    z, y, x = (np.indices(shape) - (np.array(shape).reshape(3, 1, 1, 1) - 1) / 2) * spacing
    inside = (z / 26) ** 2 + (y / 34) ** 2 + (x / 30) ** 2 < 1
    texture = gaussian_filter(np.random.default_rng(0).standard_normal(shape), 2.5)
    images = []
    for values in (inside * (100 + 40 * texture / texture.std()), inside.astype(np.uint8)):
        image = sitk.GetImageFromArray(values)
        image.SetSpacing([spacing] * 3)
        image.SetDirection([-1, 0, 0, 0, -1, 0, 0, 0, 1])
        image.SetOrigin((90.0, 80.0, -20.0))
        images.append(image)
    return images


def moved(image):
    return sitk.Resample(image, image, SHIFT.GetInverse(), sitk.sitkLinear, 0.0)


@pytest.mark.parametrize("setting", SETTINGS)
def test_convex_adam_brings_a_volume_back_in_space(setting):
    fixed, mask = volume()
    found = convex_adam_volumes(fixed, moved(fixed), setting)
    assert mean_error(found, SHIFT, mask) < 2.5  # 5.4 before


def test_ants_brings_a_volume_back_in_space():
    pytest.importorskip("ants", reason="antspyx is not installed")
    fixed, mask = volume()
    found = syn_volumes(fixed, moved(fixed), widened(mask, 9.0))
    assert mean_error(found, SHIFT, mask) < 3.5  # 5.4 before
