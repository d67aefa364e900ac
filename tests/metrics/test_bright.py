import pytest
import torch

from bundle.metrics.bright import bright_kept


def picture(bright: float, elsewhere: float = 20.0) -> torch.Tensor:
    image = torch.full((1, 1, 20, 20), elsewhere)
    image[..., :10, :10] = bright
    return image


def test_only_bright_places_count():
    warped = picture(240.0)
    fused = torch.cat([warped, picture(120.0, 255.0), picture(0.0)])
    assert bright_kept(fused, warped.repeat(3, 1, 1, 1))["Bright"].tolist() == [1, 0.5, 0]


def test_brighter_than_the_bone_makes_up_for_nothing():
    fused = picture(240.0)
    fused[..., :5, :10] = 255.0
    fused[..., 5:10, :10] = 60.0
    assert bright_kept(fused, picture(240.0))["Bright"].item() == pytest.approx(0.625)


def test_few_bright_pixels_say_nothing():
    warped = picture(229.0)
    assert bright_kept(warped, warped)["Bright"].isnan().item()
    warped = torch.zeros(1, 1, 256, 256)
    warped[..., :14, :7] = 240.0  # 98 pixels
    assert bright_kept(warped, warped)["Bright"].isnan().item()
    warped[..., 14, :7] = 240.0
    assert bright_kept(warped, warped)["Bright"].item() == 1
