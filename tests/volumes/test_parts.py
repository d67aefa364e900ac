"""Similarity and through-plane consistency on small arrays."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.registration.consistency import mean_jump, smooth_through_plane
from bundle.results.measures import correlation, warnings
from bundle.geometry.frame import cut, head_frame, put_back
from bundle.geometry.head import find_head
from bundle.geometry.planes import choose_plane
from bundle.registration.similarity import mutual_information


def test_mutual_information_of_an_image_with_itself_is_its_entropy():
    values = np.repeat([0.1, 0.4, 0.7, 0.95], 25)
    assert mutual_information(values, values) == pytest.approx(np.log(4))
    assert mutual_information(values, 1 - values) == pytest.approx(np.log(4))


def test_independent_images_share_nothing():
    first, second = np.meshgrid([0.2, 0.8], [0.3, 0.9])
    assert mutual_information(first, second) == pytest.approx(0.0, abs=1e-12)
    assert mutual_information(np.zeros(5), np.zeros(5)) == 0.0


def test_an_empty_slice_takes_its_field_from_its_neighbours():
    fixed = torch.ones(1, 1, 4, 4, 5)
    fixed[..., 2] = 0.0
    ddf = torch.zeros(1, 2, 4, 4, 5)
    ddf[..., 2] = 50.0
    smooth = smooth_through_plane(ddf, fixed, sigma=1.0)
    assert smooth.max() < 0.2
    assert mean_jump(smooth) < mean_jump(ddf)
    constant = torch.full_like(ddf, 3.0)
    torch.testing.assert_close(smooth_through_plane(constant, fixed), constant)
    assert smooth_through_plane(ddf, fixed, sigma=0.0) is ddf


def test_only_the_head_counts_if_it_is_given():
    values = np.repeat([0.1, 0.4, 0.7, 0.95], 25)
    where = values > 0.5
    assert mutual_information(values, values, where) == pytest.approx(np.log(2))


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


def test_the_frame_follows_the_head_and_not_the_field_of_view():
    head = torch.zeros(100, 90, 2, dtype=torch.bool)
    head[30:70, 20:50, 1] = True
    box = head_frame(head, (4.0, 4.0))
    assert box == (24, 10, 51, 51)  # 160 mm * 256 / 200 = 205 mm, around (50, 35)
    image = torch.rand(1, 2, 100, 90)
    part = cut(image, box)
    torch.testing.assert_close(part, image[..., 24:75, 10:61])
    back = put_back(part, box, (100, 90))
    torch.testing.assert_close(back[..., 24:75, 10:61], part)
    torch.testing.assert_close(back[..., 0, 0], part[..., 0, 0])
    wide = cut(image, (-10, 50, 120, 60))
    assert wide.shape[-2:] == (120, 60) and (wide[..., :10, :] == 0).all()
    torch.testing.assert_close(
        put_back(wide, (-10, 50, 120, 60), (100, 90))[..., 50:], image[..., 50:]
    )


def test_the_finest_plane_is_chosen_only_if_it_is_much_finer():
    volume = sitk.Image([20, 20, 20], sitk.sitkFloat32)
    assert choose_plane(volume) == "axial"
    volume.SetSpacing((4.0, 1.0, 1.0))
    assert choose_plane(volume) == "sagittal"
    assert choose_plane(volume, "coronal") == "coronal"
    with pytest.raises(InputError, match="'oblique' is none of auto, axial"):
        choose_plane(volume, "oblique")


def test_suspicious_figures_are_put_in_words():
    report = {
        "field_kept": False,
        "jacobian": {"folding": 0.01},
        "mutual_information": {"after": 0.01},
        "uncertainty_mm": {"p95": 6.0},
        "overlap": 0.3,
        "displacement_mm": {"max": 100.0},
        "parameters": {},
    }
    assert len(warnings(report)) == 6
    assert len(warnings(report | {"parameters": {"registration": False}})) == 5


def test_a_constant_correlates_with_nothing():
    assert correlation(np.zeros(4), np.arange(4)) is None
    constant = np.full(1000, 0.1)  # whose standard deviation is rounded to more than 0
    assert correlation(np.arange(1000.0), constant) is None
    assert correlation(np.arange(1000.0), -np.arange(1000.0)) == -1.0
