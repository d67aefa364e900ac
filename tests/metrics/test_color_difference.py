import pytest
import torch
from skimage.color import rgb2lab

from bundle.metrics.color_difference import color_difference


def picture(*rgb: float) -> torch.Tensor:
    return torch.tensor(rgb).reshape(1, 3, 1, 1).expand(1, 3, 4, 4).clone()


def test_agrees_with_scikit_image_and_ignores_lightness():
    warped, fused = picture(200.0, 60.0, 30.0), picture(180.0, 90.0, 120.0)
    labs = [rgb2lab(p[0].movedim(0, -1).numpy() / 255)[0, 0, 1:] for p in (fused, warped)]
    expected = float(((labs[0] - labs[1]) ** 2).sum() ** 0.5)
    both = color_difference(torch.cat([fused, warped]), torch.cat([warped, warped]))["Delta_E"]
    assert both.tolist() == [pytest.approx(expected, abs=1e-3), 0.0]


def test_counts_coloured_pixels_only():
    warped, fused = picture(200.0, 60.0, 30.0), picture(180.0, 90.0, 120.0)
    expected = color_difference(fused, warped)["Delta_E"].item()
    warped[..., :2] = 100.0  # grey
    assert color_difference(fused, warped)["Delta_E"].item() == pytest.approx(expected)
    grey = picture(100.0, 100.0, 100.0)
    assert color_difference(fused, grey)["Delta_E"].isnan().item()


def test_grey_pictures_are_refused():
    with pytest.raises(ValueError, match=r"got \(1, 1, 4, 4\) and"):
        color_difference(torch.zeros(1, 1, 4, 4), picture(1.0, 2.0, 3.0))
