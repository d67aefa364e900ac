"""Luminance, chrominance and activity of decoded pictures."""

import torch

from bundle.transforms.color import SplitColord

RED = torch.tensor([255.0, 0.0, 0.0]).view(3, 1, 1)


def split(moving, **arguments):
    item = {"fixed": torch.full((1, 1, 1), 51.0), "moving": moving, "modality": "PET"}
    return SplitColord(**arguments)(item)


def test_red_is_split_into_its_luminance_blue_and_red_difference():
    item = split(RED)
    torch.testing.assert_close(item["fixed"].flatten(), torch.tensor([0.2]))
    expected = torch.tensor([0.299, -0.168736, 0.5, 0.299])
    torch.testing.assert_close(item["moving"].flatten(), expected)


def test_a_grey_picture_has_no_chrominance_and_its_luminance_as_activity():
    moving = split(torch.full((1, 1, 1), 102.0))["moving"]
    torch.testing.assert_close(moving.flatten(), torch.tensor([0.4, 0.0, 0.0, 0.4]))


def test_activity_is_the_place_of_a_colour_in_the_palette(tmp_path):
    rows = "index,r,g,b\n0,0,0,0\n1,255,0,0\n4,0,255,0\n"  # falling codes at the end
    (tmp_path / "palette_PET.csv").write_text(rows, encoding="utf-8")
    colors = torch.cat([torch.zeros(3, 1, 1), RED, RED.roll(1, dims=0)], dim=2)
    assert split(colors, palette_dir=str(tmp_path))["moving"][3].tolist() == [[0.0, 0.25, 1.0]]
