"""The table of many registrations: what a person should see first is on top."""

import csv
import re
import shutil
import subprocess

import pytest
from PIL import Image

from bundle.results.group import write_group
from bundle.results.outliers import outlier_scores
from bundle.results.summary import COLUMNS, shown

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


def row(name, mi, displacement=2.0, modality="PET", **more):
    measures = {"mi_after": mi, "overlap": 1.0, "displacement_mean_mm": displacement}
    return {"id": name, "status": "done", "modality": modality, **measures, "remarks": "", **more}


ROWS = [
    row("sub-01_pet", 0.50),
    row("sub-02_pet", 0.52),
    row("sub-03_pet", 0.54),
    row("sub-04_pet", 0.10),
    row("sub-05_pet", 0.56),
    row("sub-06_pet", 0.58),
    row("sub-07_ct", 0.01, modality="CT"),
    {"id": "sub-08_pet", "status": "failed", "remarks": "a.nii: no <such> file"},
    {"id": "sub-09_pet", "status": "not done"},
]


def test_scores_by_hand():
    """Median 0.53, median deviation 0.03: 0.6745 * 0.43 / 0.03."""
    scores = outlier_scores(ROWS)
    assert scores[3] == {"mi_after": pytest.approx(9.67, abs=0.005)}
    assert scores[0] == {"mi_after": pytest.approx(0.67, abs=0.005)}
    assert scores[5] == {}  # better than the others
    assert scores[6:] == [None] * 3  # too few of the modality, and without measures


def test_a_row_without_a_measure_hides_it_of_no_other():
    rows = [row(f"sub-{n}", 0.5, uncertainty_p95_mm=2.0 + 0.1 * n) for n in range(9)]
    rows += [row("sub-9", 0.5, uncertainty_p95_mm=40.0), row("sub-10", 0.5, uncertainty_p95_mm="")]
    scores = outlier_scores(rows)
    assert set(scores[9]) == {"uncertainty_p95_mm"} and scores[9]["uncertainty_p95_mm"] > 50
    assert scores[10] == {}


def test_one_image_far_off_is_an_outlier_where_all_others_are_equal():
    """Nine overlaps of 1 and one of 0.52: 0.48 / (1.2533 * 0.048)."""
    rows = [row(f"sub-{n}", 0.5) for n in range(9)] + [row("sub-9", 0.5, overlap=0.52)]
    assert outlier_scores(rows) == [{}] * 9 + [{"overlap": pytest.approx(7.98, abs=0.005)}]


@pytest.mark.parametrize("others", [[1.0] * 9, [1.0 - 1e-5 * n for n in range(9)]])
def test_nearly_equal_values_have_no_outlier(others):
    rows = [row(f"sub-{n}", 0.5, overlap=one) for n, one in enumerate([*others, 0.99])]
    assert all(score < 1.01 for one in outlier_scores(rows) for score in one.values())


def test_all_measures_that_are_outliers_are_marked(tmp_path):
    rows = [row(f"sub-{n}", 0.5 + 0.01 * n, 2.0 + 0.1 * n) for n in range(8)]
    write_group([*rows, row("sub-8", 0.05, 40.0)], {}, tmp_path)
    page = (tmp_path / "group_registration.html").read_text(encoding="utf-8")
    marked = re.findall('<td class="([a-z_]+) outlier">', page)
    assert sorted(marked) == ["displacement_mean_mm", "mi_after", "outlier_score"]
    with (tmp_path / "group_registration.tsv").open(encoding="utf-8") as file:
        assert next(csv.DictReader(file, delimiter="\t"))["outlier_measure"] == (
            "displacement_mean_mm"
        )


def test_what_failed_and_outliers_come_first(tmp_path):
    write_group(ROWS, {}, tmp_path)
    with (tmp_path / "group_registration.tsv").open(encoding="utf-8") as file:
        found = list(csv.DictReader(file, delimiter="\t"))
    names = [one["id"].partition("_")[0] for one in found]
    assert names == [f"sub-0{k}" for k in (8, 9, 4, 1, 2, 3, 5, 6, 7)]
    assert found[0]["mi_after"] == found[6]["uncertainty_p95_mm"] == "n/a"
    assert found[2]["outlier_measure"] == "mi_after"
    page = (tmp_path / "group_registration.html").read_text(encoding="utf-8")
    assert page.count('class="mi_after outlier"') == 1
    assert "mutual information, after" in page and "mi after" not in page
    assert "no &lt;such&gt; file" in page and "http" not in page


def test_values_are_words_and_short_numbers():
    assert [shown({"field_kept": kept}, "field_kept") for kept in (True, False)] == ["yes", "no"]
    assert shown({"displacement_max_mm": 10.6505}, "displacement_max_mm") == "10.7"
    assert shown({"mi_after": 0.301583}, "mi_after") == "0.302"
    assert shown({"outlier_measure": "mi_after"}, "outlier_measure") == "mutual information, after"
    assert shown({}, "seconds") == ""
    assert shown({"seconds": 2860.4}, "seconds") == "2860"
    assert shown({"outlier_score": 1234.56}, "outlier_score") == "1235"


@pytest.mark.skipif(BROWSER is None, reason="no chromium")
def test_the_page_fits_a_screen(tmp_path):
    """No scrolling sideways at 1400 px, whatever the remarks say."""
    wide = {name: 0.123456 for name in COLUMNS if name not in ("id", "status", "modality")}
    remarks = 3 * "The uncertainty of the displacement is above 5 mm in places. "
    long = {"id": "sub-0123_ses-followup_trc-FDG_run-1_pet", "status": "done", "modality": "SPECT"}
    name = "sub-0123_desc-{}_pet"
    picture = tmp_path / f"{name.format('thumbnail')}.png"
    Image.new("L", (640, 240)).save(picture)
    reports = {long["id"]: tmp_path / f"{name.format('report')}.json"}
    write_group([wide | long | {"remarks": remarks, "field_kept": False}], reports, tmp_path)
    assert "image/png" in (tmp_path / "group_registration.html").read_text(encoding="utf-8")
    page = tmp_path / "group_registration.html"
    told = "<script>document.body.textContent = document.documentElement.scrollWidth</script>"
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{told}</body>"))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    done = subprocess.run(
        [*command, "--window-size=1400,900", f"file://{page}"],
        capture_output=True, encoding="utf-8", check=True, timeout=60,
    )  # fmt: skip
    assert int(re.search(r"<body>(\d+)", done.stdout)[1]) <= 1400
