"""The page of a pair of pictures."""

import re

import numpy as np
import pytest
import torch

from bundle.fusion import FusedPictures
from bundle.images.picture_pair import PicturePair
from bundle.registration.pairs import PictureRegistration
from bundle.results.describe import picture_report
from bundle.results.picture_page import LARGEST, write_picture_page
from tests.results.pages import pictures_of


def fused_of(height, width, channels):
    values = np.random.default_rng(0)
    fixed = torch.from_numpy(255 * values.random((1, height, width), np.float32))
    moving = torch.from_numpy(255 * values.random((channels, height, width), np.float32))
    ddf = torch.zeros(2, height, width)
    ddf[1] = 3.0
    image = torch.cat([fixed, moving[:1]]) / 255
    pair = PicturePair(fixed, moving, "PET", began=1e9)
    registration = PictureRegistration(pair, image, ddf, moving.roll(-3, dims=2))
    return FusedPictures(registration, moving, 0.1)


def test_the_page_shows_the_pictures_and_the_field_as_a_grid(tmp_path):
    fused = fused_of(40, 60, 3)
    report = picture_report(fused, {})
    write_picture_page(tmp_path / "report.html", report, fused)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    shown = dict(pictures_of(page))
    assert set(shown) == {"fixed", "warped", "fused", "moving, before", "deformation grid (16 px)"}
    np.testing.assert_array_equal(
        shown["warped"], fused.registration.warped.round().byte().movedim(0, -1).numpy()
    )
    grid = shown["deformation grid (16 px)"]
    assert (grid[:, [13, 29, 45]] == 255).all() and (grid[[0, 16, 32]] == 255).all()
    assert (grid[5, 14:29] < 255).all()
    assert re.search('<input type="range".*<option>fused</option>', page, re.DOTALL)
    assert "mean 3.0 px" in page and "PET onto MRI" in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page) and "http" not in page


@pytest.mark.parametrize("size", [(1400, 700), (2048, 2048)])
def test_large_pictures_are_shown_smaller(size, tmp_path):
    fused = fused_of(*size, 3)
    write_picture_page(tmp_path / "report.html", picture_report(fused, {}), fused)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for name, picture in pictures_of(page):
        if "grid" in name:  # its lines stay visible: there is no other white
            assert name == f"deformation grid ({round(16 * max(size) / LARGEST)} px)"
            assert 0.05 < (picture > 200).mean() < 0.25
        assert max(picture.shape[:2]) == LARGEST
        assert abs(picture.shape[0] / picture.shape[1] - size[0] / size[1]) < 0.01
    assert (tmp_path / "report.html").stat().st_size < 15_000_000
