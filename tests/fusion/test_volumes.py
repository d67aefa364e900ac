"""Fusion of volumes: interpolated in three directions, and the same whatever the grid."""

import pytest
import torch

from bundle.fusion.volumes import fuse_volumes, slab_coefficients
from tests.inference.stubs import Brightest

SPACING = (1.0, 1.0, 1.0)


class Seen(Brightest):
    """Shows of the warped volume as much as the fixed one is bright where it looks."""

    def coefficients(self, image, match):
        cells = torch.nn.functional.avg_pool2d(image, 4)
        share = cells[:, :1]
        return torch.cat([1 - share, share, 0 * share, 0 * share], dim=1)


def ramp(size):
    """Brightness from 0 to 1 along the last axis."""
    steps = (torch.arange(size[2]) + 0.5) / size[2]
    return steps.expand(size)


def test_the_maximum_of_both_volumes():
    image = torch.rand(2, 40, 50, 30, generator=torch.Generator().manual_seed(0))
    head = torch.ones(1, 40, 50, 30)
    fused = fuse_volumes(image, head, SPACING, Brightest())
    torch.testing.assert_close(fused, image.amax(dim=0, keepdim=True))


def test_coefficients_change_smoothly_between_slabs():
    size = (48, 48, 64)
    image = torch.stack([ramp(size), torch.zeros(size)])
    fused = fuse_volumes(image, torch.ones(1, *size), SPACING, Seen())[0, 24, 24]
    share = image[0, 24, 24]
    inner = slice(6, -6)  # the outermost slabs hold their values
    expected = (1 - share) * share
    torch.testing.assert_close(fused[inner], expected[inner], atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("thickness", "slices", "slabs"), [(1.0, 64, 16), (2.0, 10, 5), (6.0, 9, 9)]
)
def test_slabs_are_about_four_millimetres_thick(thickness, slices, slabs):
    image = torch.rand(2, 32, 32, slices)
    cells = slab_coefficients(image, (0, 0, 32, 32), thickness, Seen())
    assert cells.shape == (4, 64, 64, slabs)


def test_a_frame_beyond_the_slices_is_read_where_it_lies():
    size = (60, 60, 8)
    image = torch.stack([torch.zeros(size), torch.ones(size)])
    image[0, 20:40, 20:40] = 1.0
    head = torch.zeros(1, *size)
    head[:, 20:40, 20:40] = 1
    fused = fuse_volumes(image, head, (5.0, 5.0, 5.0), Seen())[0, ..., 4]
    assert fused[30, 30] == pytest.approx(1.0, abs=1e-4)
    assert fused[5, 5] == pytest.approx(0.0, abs=1e-4)  # the warped volume does not show there
