"""Self-similarities, beside those of ConvexAdam's package."""

import pytest
import torch
from torch.nn import functional

from bundle.registration.convex_adam import package
from bundle.registration.self_similarity import ROWS, self_similarities


def volume(shape=(2 * ROWS + 6, 18, 15)):
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return functional.avg_pool3d(noise[None, None], 3, 1)[0, 0]


@pytest.mark.parametrize("distance", [1, 2])
def test_channels_are_those_of_the_package_in_another_order(distance):
    with package():
        from convexAdam.convex_adam_utils import MINDSSC

        theirs = MINDSSC(volume()[None, None], 1, distance, device="cpu")[0]
    inner = (slice(None), *(slice(4, -4),) * 3)  # which differ in what lies beyond the border
    theirs, ours = (
        one[inner].flatten(1) for one in (theirs, self_similarities(volume(), distance))
    )
    apart = (theirs[:, None] - ours[None]).abs().amax(dim=2)
    assert sorted(apart.argmin(dim=1).tolist()) == list(range(12))
    assert apart.amin(dim=1).max() < 1e-4


def test_cells_are_means_of_voxels_and_parts_of_cells_are_left_out():
    whole = self_similarities(volume((2 * ROWS + 5, 17, 15)), 1)
    cells = self_similarities(volume((2 * ROWS + 5, 17, 15)), 1, 2)
    torch.testing.assert_close(cells, functional.avg_pool3d(whole, 2))


def test_they_are_alike_whatever_the_contrast():
    ours = self_similarities(volume(), 1)
    torch.testing.assert_close(ours, self_similarities(0.9 - 0.5 * volume(), 1), atol=2e-3, rtol=0)
    assert ours.amax() <= 1 and ours.amin() > 0


def test_flat_images_are_finite_and_alike():
    found = self_similarities(torch.full((9, 9, 9), 0.3), 2)
    torch.testing.assert_close(found, torch.ones_like(found))
