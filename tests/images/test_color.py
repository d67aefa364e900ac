import pytest
import torch
from PIL import Image

from bundle.fusion.recolor import recolor
from bundle.images.color import luma, rgb_to_ycbcr, ycbcr_to_rgb


def random_rgb(seed=0):
    return 255 * torch.rand(3, 40, 50, generator=torch.Generator().manual_seed(seed))


def test_ycbcr_is_pillows_up_to_its_rounding():
    rgb = random_rgb().round()
    picture = Image.fromarray(rgb.byte().movedim(0, -1).numpy())
    pillow = torch.tensor(list(picture.convert("YCbCr").tobytes())).view(40, 50, 3).movedim(-1, 0)
    ours = rgb_to_ycbcr(rgb) + torch.tensor([0.0, 128.0, 128.0]).view(3, 1, 1)
    assert (ours - pillow).abs().max() < 1.01


def test_ycbcr_is_undone():
    rgb = random_rgb()
    torch.testing.assert_close(ycbcr_to_rgb(rgb_to_ycbcr(rgb)), rgb, atol=1e-3, rtol=0)


def test_luma_of_grey_is_grey():
    grey = random_rgb()[:1]
    assert luma(grey) is grey
    torch.testing.assert_close(luma(grey.expand(3, -1, -1)), grey)


def test_luma_of_two_channels_is_refused():
    with pytest.raises(ValueError, match="1 or 3 channels"):
        luma(torch.zeros(2, 4, 4))


def test_recolor_with_its_own_luminance_changes_nothing():
    rgb = random_rgb()
    torch.testing.assert_close(recolor(luma(rgb), rgb), rgb, atol=1e-3, rtol=0)


def test_recolor_keeps_any_luminance_inside_the_gamut():
    luminance, colored = random_rgb(1)[:1], random_rgb(2)
    luminance[0, 0], luminance[0, 1] = 0, 255
    result = recolor(luminance, colored)
    assert result.min() > -1e-3
    assert result.max() < 255 + 1e-3
    torch.testing.assert_close(luma(result), luminance, atol=1e-2, rtol=0)
    written = luma(result.round().clamp(0, 255))
    assert (written - luminance).abs().max() <= 0.51


def test_recolor_keeps_hue_and_saturates_no_less_than_needed():
    red = torch.tensor([255.0, 0.0, 0.0]).view(3, 1, 1)
    result = recolor(torch.full((1, 1, 1), 200.0), red).flatten()
    assert result[0] == pytest.approx(255, abs=1e-3)  # at the wall of the RGB cube
    assert result[1] == pytest.approx(result[2].item(), abs=1.0)
    assert result[1] < 200


def test_recolor_of_grey_is_grey():
    luminance = random_rgb()[:1]
    result = recolor(luminance, torch.full((3, 40, 50), 77.0))
    torch.testing.assert_close(result, luminance.expand(3, -1, -1), atol=1e-2, rtol=0)
