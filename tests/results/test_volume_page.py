"""The report's page in a real browser, and what it shows."""

import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import Remark
from bundle.results.describe import Shown, shown_volumes, volume_report
from bundle.results.page import Case, Panel, write_report
from bundle.results.views import grid_lines, histogram, views
from bundle.results.volume_page import NIIVUE, overlay, write_volume_page

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
    axial, coronal, _ = views(np.ones((40, 30, 6), bool), field.GetSpacing())
    lines = grid_lines(axial, field, field)
    assert lines.shape == (40, 30)
    assert np.flatnonzero(lines[5]).tolist() == [7, 17, 27]  # columns
    assert np.flatnonzero(lines[:, 5]).tolist() == [0, 10, 20, 30]  # rows
    lines = grid_lines(coronal, field, field)
    assert lines.shape == (6, 30)
    assert np.flatnonzero(lines[0]).tolist() == [7, 17, 27]
    assert np.flatnonzero(lines[:, 5]).tolist() == [5]  # the lowest slice, head up


@pytest.mark.parametrize("slices", [5.0, 30.0])
def test_grid_lines_are_a_pixel_wide_whatever_the_slices(slices):
    """Along x the displacement grows by a tenth of the height: straight, oblique lines."""
    vectors = np.zeros((6, 40, 60, 3), np.float32)
    vectors[..., 0] = (0.1 * slices * np.arange(6)).reshape(6, 1, 1)
    field = sitk.GetImageFromArray(vectors, isVector=True)
    field.SetSpacing((1.0, 1.0, slices))
    coronal = views(np.ones((40, 60, 6), bool), field.GetSpacing())[1]
    lines = grid_lines(coronal, field, field)
    assert lines.shape == (6 * slices, 60)
    horizontal = lines.all(axis=1)
    assert np.diff(np.flatnonzero(horizontal)).tolist() == [10] * (round(6 * slices / 10) - 1)
    between = lines[~horizontal]
    assert set(np.count_nonzero(between, axis=1)) == {6}  # one pixel of each of six lines
    first = np.flatnonzero(lines[lines.shape[0] // 2 + 3])[:1]
    higher = np.flatnonzero(lines[lines.shape[0] // 2 - 7])[:1]  # ten rows higher
    assert (first - higher) % 10 == 1


def test_grid_lines_of_coarse_voxels_are_further_apart():
    field = sitk.GetImageFromArray(np.zeros((20, 20, 20, 3), np.float32), isVector=True)
    field.SetSpacing((12.0, 12.0, 12.0))
    axial = views(np.ones((20, 20, 20), bool), field.GetSpacing())[0]
    assert axial.lines == 60.0
    assert np.flatnonzero(grid_lines(axial, field, field)[1]).tolist() == [0, 5, 10, 15]


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
    grid = sitk.Image([20, 10, 30], sitk.sitkUInt8)
    grid.SetSpacing((1.0, 2.0, 3.0))
    shown = Shown(0.5 * head, none, warped, none, head, head, grid, grid, grid)
    picture = overlay(shown, "viridis").numpy()
    assert picture.shape == (3, 20, 20)  # pixels of 1 mm
    spread = np.ptp(picture, axis=0)
    assert (spread[10:12, 10] > 50).all() and np.count_nonzero(spread) == 2
    assert picture[0, 6, 6] == 127.5
    brightest = 0.7 * np.array([253, 231, 36]) + 0.3 * 127.5  # the last colour of viridis
    np.testing.assert_allclose(picture[:, 10, 10], brightest, atol=0.5)


DRIVE = """<script type="module">
const seen = [], errors = [];
for (const name of ["error", "unhandledrejection"]) {
  window.addEventListener(name, (event) => errors.push(String(event.message || event.reason)));
}
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
for (let k = 0; k < 400 && !document.body.dataset.viewer; k++) await wait(50);
const find = (id) => document.getElementById(id);
const state = document.body.dataset.viewer;
const change = (id, value, name = "change") => {
  if (find(id).type === "radio") find(id).checked = true; else find(id).value = value;
  find(id).dispatchEvent(new Event(name));
  seen.push([id, ...viewer.shown()]);
};
const told = {};
if (state === "ready") {
  const nv = viewer.nv;
  seen.push(["first", ...viewer.shown()]);
  change("before");
  change("after");
  change("below", "color");
  change("above", "none");
  change("below", "fused");
  change("above", "uncertainty");
  told.hovered = find("place").textContent;
  change("above", "moving");
  told.inside = find("place").textContent;
  const middle = nv.scene.crosshairPos;
  nv.scene.crosshairPos = [0.05, 0.05, 0.05];
  nv.createOnLocationChange();
  told.outside = find("place").textContent;
  nv.scene.crosshairPos = middle;
  change("opacity", 25, "input");
  told.opacity = nv.volumes[1].opacity;
  change("below", "fixed");
  change("brightest", 50, "input");
  told.window = [nv.volumes[0].cal_min, nv.volumes[0].cal_max];
  change("colormap", "gray");
  told.colormap = nv.volumes[1].colormap;
  const place = () => Array.from(nv.frac2mm(nv.scene.crosshairPos));
  change("plane", "0");
  await wait(100);
  told.before = place();
  const box = find("canvas").getBoundingClientRect();
  const at = { clientX: box.x + box.width / 2, clientY: box.y + box.height / 2, bubbles: true };
  find("canvas").dispatchEvent(new WheelEvent("wheel", { ...at, deltaY: 100 }));
  await wait(100);
  told.after = place();
  find("blink").click();
  await wait(800);
  told.blinked = viewer.shown()[1];
  find("blink").click();
  nv.drawScene();
  const { width, height } = find("canvas"), pixels = new Uint8Array(4 * width * height);
  nv.gl.readPixels(0, 0, width, height, nv.gl.RGBA, nv.gl.UNSIGNED_BYTE, pixels);
  told.lit = pixels.filter((value, k) => k % 4 === 0 && value > 100).length / (width * height);
}
told.state = state;
told.hidden = find("viewer").hidden;
told.stills = find("stills").open;
const result = JSON.stringify({ seen, errors, told });
document.body.replaceChildren();
document.head.replaceChildren();
document.body.textContent = "RESULT" + result + "END";
</script>"""


def volume_page(pair, path):
    shown = shown_volumes(pair)
    report = volume_report(pair, shown, {"init": "rigid"})
    remarks = {"warnings": (Remark("folding", "It <folds>."),), "notes": (Remark("a", "A note."),)}
    write_volume_page(path, replace(report, **remarks), pair, shown, "inferno")
    return path.read_text(encoding="utf-8")


def drive(page, path, *options):
    """Do what a reader does; what the page was then, and what the browser complained of."""
    driven = path.with_name("driven.html")
    start = page.rindex("</body>")
    driven.write_text(page[:start] + DRIVE + page[start:], encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--enable-logging=stderr", "--dump-dom"]
    command += ["--window-size=1200,900", "--virtual-time-budget=20000", *options]
    done = subprocess.run(
        [*command, f"file://{driven}"], capture_output=True, encoding="utf-8", check=True,
        timeout=600,
    )  # fmt: skip
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    found = re.search("<body[^>]*>RESULT(.*)END", done.stdout, re.DOTALL)
    assert found, console
    return json.loads(html.unescape(found[1])), console


@pytest.mark.skipif(BROWSER is None, reason="no chromium")
def test_the_viewer_shows_scrolls_and_switches(ball, tmp_path):
    page = volume_page(ball, tmp_path / "report.html")
    webgl = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
    found, console = drive(page, tmp_path / "report.html", *webgl)
    told = found["told"]
    assert console == [] and found["errors"] == []
    assert (told["state"], told["hidden"], told["stills"]) == ("ready", False, False)
    assert found["seen"][:7] == [
        ["first", "fixed", "warped"],
        ["before", "fixed", "start"],
        ["after", "fixed", "warped"],
        ["below", "color", "warped"],
        ["above", "color"],
        ["below", "fused"],
        ["above", "fused", "uncertainty"],
    ]
    assert "uncertainty 2 mm" in told["hovered"] and "mm (RAS)" in told["hovered"]
    assert told["inside"].endswith("; fused 0.902; PET, warped ≥ 300 arbitrary units")
    assert told["outside"].endswith("; fused 0; PET, warped ≤ 100 arbitrary units")
    assert told["opacity"] == 0.25
    assert told["window"] == [0, 0.5]
    assert told["colormap"] == "bundle gray"
    assert abs(told["after"][2] - told["before"][2]) > 1  # one slice of 2 mm
    assert told["after"][:2] == told["before"][:2]
    assert told["blinked"] == "start"
    assert 0.05 < told["lit"] < 0.9  # the ball


@pytest.mark.skipif(BROWSER is None, reason="no chromium")
def test_without_webgl_the_still_pictures_are_open(ball, tmp_path):
    page = volume_page(ball, tmp_path / "report.html")
    found, console = drive(page, tmp_path / "report.html", "--disable-gpu", "--disable-3d-apis")
    assert console == [] and found["errors"] == []
    told = found["told"]
    assert (told["state"], told["hidden"], told["stills"]) == ("stills", True, True)


def test_warnings_come_first_and_the_colour_bar_has_its_unit(ball, tmp_path):
    page = volume_page(ball, tmp_path / "report.html")
    words = ["It &lt;folds&gt;.", "A note.", "PET onto MRI", 'id="canvas"', "mutual information"]
    places = [page.index(word) for word in words]
    assert places == sorted(places)
    assert "uncertainty, 0 to 5 mm and more" in page
    for word in ("<b>0.", "300 arbitrary units", "fused.nii.gz", "<b>2001-09-0"):
        assert word in page
    outside = page.replace(NIIVUE.read_text(encoding="utf-8"), "")
    assert len(outside) < len(page) - 2_000_000
    assert not re.findall(r'(?:src|href)="(?!data:)', outside)
    assert "http" not in outside


def test_the_library_is_the_one_that_was_published():
    """npm's ``@niivue/niivue`` 0.69.0, ``dist/niivue.umd.js``."""
    known = NIIVUE.with_name("niivue.umd.js.sha256").read_text(encoding="utf-8").split()
    assert known == [hashlib.sha256(NIIVUE.read_bytes()).hexdigest(), NIIVUE.name]
    assert "BSD 2-Clause" in NIIVUE.with_name("niivue.LICENSE").read_text(encoding="utf-8")
    assert "</script" not in NIIVUE.read_text(encoding="utf-8")


def test_the_page_stays_small_whatever_it_shows(noise, tmp_path):
    volume_page(noise, tmp_path / "report.html")
    size = (tmp_path / "report.html").stat().st_size
    assert 10_000_000 < size < 15_000_000  # the viewer's volumes are as large as they may be
