"""Volumes in voxels of about 2 mm, and displacements in them."""

import numpy as np
import pytest
import torch

from bundle.registration.coarse import blurred, coarse_of, finer_images
from tests.registration.volumes import shifted


def test_voxels_half_as_large_have_the_means_of_the_pair():
    initial = shifted(air=20)
    pair = coarse_of(initial)
    box = (slice(3, 20), slice(5, 25), slice(4, 17))
    means = torch.nn.functional.avg_pool3d(finer_images(initial, pair, box)[None], 2)[0]
    torch.testing.assert_close(means, pair.image[(slice(None), *box)])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_wave_is_blurred_by_millimetres_along_each_axis(axis):
    spacing = (1.0, 2.0, 4.0)
    ramp = np.arange(64.0).reshape([-1 if k == axis else 1 for k in range(3)])
    wave = np.cos(2 * np.pi / 16 * ramp) + np.zeros([64 if k == axis else 3 for k in range(3)])
    found = blurred(np.stack([wave, 2 * wave, wave]), 4.0, spacing)
    left = np.exp(-0.5 * (4.0 / spacing[axis] * 2 * np.pi / 16) ** 2)
    inner = tuple(slice(24, 40) if k == axis else slice(None) for k in range(3))
    np.testing.assert_allclose(found[1][inner], 2 * left * wave[inner], atol=2e-2)
