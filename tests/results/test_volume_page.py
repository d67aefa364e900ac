"""The report's page in a real browser, and what it shows."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.results.describe import Shown
from bundle.results.page import Case, Panel, write_report
from bundle.results.views import grid_lines, histogram, views
from bundle.results.volume_page import overlay

ROOT = Path(__file__).parents[2]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
MOVES = """<script>
const slider = document.querySelector("input");
const opacity = () => [...document.querySelectorAll(".stack img")].map(p => p.style.opacity);
const found = [opacity()];
slider.value = 100; slider.dispatchEvent(new Event("input")); found.push(opacity());
document.querySelector("select").selectedIndex = 1;
document.querySelector("select").dispatchEvent(new Event("change")); found.push(opacity());
document.body.innerHTML = JSON.stringify(found);
</script>"""


@pytest.fixture
def page(tmp_path):
    shades = [np.full((20, 30), k, np.uint8) for k in (10, 120, 250)]
    pictures = [Panel(n, s) for n, s in zip(("fixed", "warped", "start"), shades, strict=True)]
    write_report(tmp_path / "r.html", "Report", "text", [Case("axial", compare=pictures)])
    return tmp_path / "r.html"


def test_the_report_can_be_imported_before_all_else():
    subprocess.run(
        [sys.executable, "-c", "import bundle.results.volume_page"], cwd=ROOT, check=True
    )


def test_page_needs_no_other_file(page):
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    assert "http" not in text


@pytest.mark.skipif(BROWSER is None, reason="no chromium")
def test_slider_and_choice_blend_the_pictures(page):
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", MOVES + "</body>"))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    done = subprocess.run(
        [*command, f"file://{page}"], capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    assert '[["","0.5","0"],["","1","0"],["","0","1"]]' in done.stdout


def test_grid_lines_lie_where_the_moving_volume_is_found():
    vectors = np.zeros((6, 40, 30, 3), np.float32)
    vectors[..., 0] = 3.0  # along x
    field = sitk.GetImageFromArray(vectors, isVector=True)
    lines = grid_lines(field)
    assert lines.shape == (40, 30, 6, 3)
    assert np.flatnonzero(lines[5, :, 2, 1]).tolist() == [7, 17, 27]
    assert np.flatnonzero(lines[:, 5, 2, 0]).tolist() == [0, 10, 20, 30]


def test_views_go_through_the_head_with_square_pixels():
    head = np.zeros((40, 30, 10), bool)
    head[10:21, 4:9, 2:5] = True
    axial, coronal, sagittal = views(head, (1.0, 1.0, 3.0))
    assert (axial.place, coronal.place, sagittal.place) == (3, 15, 6)
    assert axial.cut(head).shape == (40, 30)
    assert coronal.cut(head).shape == (30, 30)
    rows = np.flatnonzero(sagittal.cut(head).any(axis=1))
    assert rows[0] == 15 and rows[-1] == 23  # slices 2 to 4, head up, three rows each


def test_histogram_bars_are_as_high_as_their_counts():
    picture = histogram(np.array([0.0, 2.0, 2.0])).picture
    first, last = picture[:, 25], picture[:, 405]
    assert (first[121:220] == 70).all() and (first[:119] == 255).all()
    assert (last[21:220] == 70).all()


def test_the_overlay_colours_the_activity_of_a_slice_through_the_head():
    head = np.zeros((10, 20, 30), bool)
    head[2:8, 4:16, 20:28] = True  # high above the middle slice
    plane = views(head, (1.0, 2.0, 3.0))[0]
    warped, none = np.zeros(head.shape), np.zeros(head.shape)
    warped[5, 10, plane.place] = 1.0
    shown = Shown(0.5 * head, none, warped, none, none, none, head)
    field = sitk.Image([20, 10, 30], sitk.sitkVectorFloat32)
    field.SetSpacing((1.0, 2.0, 3.0))
    picture = overlay(shown, field).numpy()
    assert picture.shape == (3, 20, 20)  # pixels of 1 mm
    spread = np.ptp(picture, axis=0)
    assert (spread[10:12, 10] > 50).all() and np.count_nonzero(spread) == 2
    assert picture[0, 6, 6] == 127.5
