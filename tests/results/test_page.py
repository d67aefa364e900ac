from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

from bundle.results.page import Case, Panel, grey, heat, write_report


def test_grey_is_linear_between_its_limits():
    np.testing.assert_array_equal(grey(np.array([[-50, 10, 60, 200]]), 10, 110), [[0, 0, 128, 255]])


def test_heat_runs_from_black_to_its_last_colour():
    colours = heat(np.array([[0.0, 1.0, 4.0, 9.0]]), highest=4.0)[0].astype(int)
    np.testing.assert_array_equal(colours[[0, 2]], [[0, 0, 0], [255, 245, 160]])
    np.testing.assert_array_equal(colours[3], colours[2])
    brightness = heat(np.linspace(0, 1, 50)[None], 1.0).sum(axis=-1, dtype=int)[0]
    assert (np.diff(brightness) > 0).all()


def test_page_holds_pictures_and_figures_in_one_file(tmp_path):
    pictures = [
        np.arange(48, dtype=np.uint8).reshape(6, 8),
        np.arange(144, dtype=np.uint8).reshape(6, 8, 3),
    ]
    panels = [Panel("<fixed>", pictures[0]), Panel("fused", pictures[1])]
    write_report(tmp_path / "r.html", "A & B", "text", [Case("CT", {"after": "1.5 mm"}, panels)])
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    for code, picture in zip(found, pictures, strict=True):
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(code))))
        np.testing.assert_array_equal(shown, picture)
    assert page.count("src=") == 2
    assert "1.5 mm" in page
    assert "A &amp; B" in page
    assert "<fixed>" not in page
