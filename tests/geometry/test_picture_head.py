"""Where the head is in a picture."""

import pytest
import torch

from bundle.geometry.picture_head import head_mask


def test_mask_is_the_smoothed_image_above_15():
    fixed = torch.zeros(1, 1, 41, 41)
    fixed[..., 10:31, 10:31] = 30
    mask = head_mask(fixed)[0]
    # At a straight edge the smoothed step is half as high, 15: only the inner side passes.
    assert mask[20, 10] and not mask[20, 9]


@pytest.mark.parametrize(("grey", "seen"), [(70, False), (80, True)])
def test_mask_smooths_by_two_pixels(grey, seen):
    # A line of one pixel keeps 1 / (2 sqrt(2 pi)) = 0.199 of its height.
    fixed = torch.zeros(1, 1, 41, 41)
    fixed[..., 20] = grey
    assert head_mask(fixed).any().item() == seen


def test_only_grey_pictures_have_a_head():
    with pytest.raises(ValueError, match=r"got \(1, 3, 8, 8\)"):
        head_mask(torch.zeros(1, 3, 8, 8))
