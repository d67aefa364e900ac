"""The command that compares registrations of volumes: its pairs, methods and tables."""

import csv
import sys

import pytest
import SimpleITK as sitk

from bundle.evaluation.checks import volume_pairs
from bundle.evaluation.checks.volume_pairs import phantom_pair
from scripts import volume_accuracy
from tests.scripts.test_demo import Still

GRID = {"shape": (40, 48, 12), "spacing": (5.0, 5.0, 12.0), "centre": (0.0, 0.0, 0.0)}


@pytest.fixture
def small(monkeypatch):
    """Tiny phantoms, and a network that does nothing."""
    monkeypatch.setattr(volume_pairs, "GRID", GRID)
    monkeypatch.setattr(volume_accuracy, "load_network", lambda *_: Still().eval())


def rows_of(folder):
    with (folder / "accuracy.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


PHANTOM = ["--suite", "validation", "--kinds", "phantom CT", "--seeds", "1", "--first_seed", "2"]


def test_a_suite_has_all_its_misalignments(tmp_path, small, capsys):
    out = ["--methods", "headers", "--output_dir", str(tmp_path)]
    volume_accuracy.main([*PHANTOM, *out])
    rows = rows_of(tmp_path)
    kinds = ["rigid", "spatial_small", "spatial", "spatial_large"]
    assert [row["misalignment"] for row in rows] == kinds
    assert {(row["kind"], row["seed"], row["method"]) for row in rows} == {
        ("phantom CT", "2", "headers")
    }
    assert len({row["mean"] for row in rows}) == 4 and {row["kept"] for row in rows} == {""}
    assert "phantom CT, rigid, seed 2" in capsys.readouterr().out


def test_errors_are_repeatable_and_seconds_are_elsewhere(tmp_path, small):
    command = [*PHANTOM, "--misalignment", "spatial", "--methods", "start", "headers", "axial"]
    for name in ("a", "b"):
        volume_accuracy.main([*command, "--output_dir", str(tmp_path / name)])
    headers, start, axial = rows_of(tmp_path / "a")
    assert [row["method"] for row in (headers, start, axial)] == ["headers", "start", "axial"]
    assert float(start["mean"]) < float(headers["mean"]) < float(headers["p95"])
    assert float(axial["mean"]) == pytest.approx(float(start["mean"]), abs=1e-3)
    assert float(start["dice"]) > float(headers["dice"])
    contents = [(tmp_path / name / "accuracy.csv").read_bytes() for name in ("a", "b")]
    assert contents[0] == contents[1] and b"seconds" not in contents[0]
    pages = [(tmp_path / name / "summary.md").read_text().split("## Seconds") for name in "ab"]
    assert pages[0][0] == pages[1][0] and "| phantom CT, spatial | 1 | axial |" in pages[0][0]
    for path in (tmp_path / "a").iterdir():
        assert str(tmp_path) not in path.read_text()


def test_given_volumes_and_one_plane(tmp_path, small):
    pair = phantom_pair("PET", 2)
    for name, volume in (("f", pair.fixed), ("m", pair.moving)):
        sitk.WriteImage(sitk.Cast(volume, sitk.sitkFloat32), str(tmp_path / f"{name}.nii.gz"))
    files = ["--fixed", str(tmp_path / "f.nii.gz"), "--moving", str(tmp_path / "m.nii.gz")]
    out = ["--output_dir", str(tmp_path / "out"), "--seeds", "1"]
    volume_accuracy.main([*files, *out, "--slices", "10", "--plane", "axial", "--modality", "PET"])
    rows = rows_of(tmp_path / "out")
    assert [row["method"] for row in rows] == ["headers", "start", "axial"]
    assert {row["kind"] for row in rows} == {"given PET"}
    assert {row["misalignment"] for row in rows} == {"in_plane"}
    assert {row["tre"] for row in rows} == {""}
    with pytest.raises(SystemExit, match=r"accuracy\.csv: exists already; name another folder"):
        volume_accuracy.main([*files, *out])


def test_what_the_fixed_volume_of_painted_heads_is_stands_in_the_table(
    tmp_path, small, monkeypatch
):
    asked = []

    def painted(folder, modality, seed, contrast, thickness):
        asked.append((folder.name, modality, seed, contrast, thickness))
        return phantom_pair(modality, seed)

    monkeypatch.setattr(volume_accuracy, "painted_pair", painted)
    heads = ["--heads", "maps", "--modality", "PET", "--seeds", "1", "--methods", "headers"]
    fixed = ["--fixed_contrast", "FLAIR", "--fixed_thickness", "5"]
    volume_accuracy.main([*heads, "--output_dir", str(tmp_path / "a")])
    volume_accuracy.main([*heads, *fixed, "--output_dir", str(tmp_path / "b")])
    assert asked == [("maps", "PET", 0, "T1", 1), ("maps", "PET", 0, "FLAIR", 5)]
    kinds = [rows_of(tmp_path / name)[0]["kind"] for name in "ab"]
    assert kinds == ["head PET", "head PET onto FLAIR of 5 mm"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "name --fixed and --moving, or --phantom"),
        (["--phantom", "CT", "--seeds", "0"], "--seeds, --threads: give at least 1"),
        (["--phantom", "CT", "--heads", "x"], "--suite, --heads, --phantom, --fixed: name one"),
        (["--phantom", "CT", "--slices", "9"], "--slices 9: give at least 2, with --fixed"),
        (["--fixed", "x", "--moving", "y", "--slices", "1"], "--slices 1: give at least 2"),
        (["--heads", "x", "--fixed_thickness", "0"], "--fixed_thickness 0: give 1 to 20 mm"),
        (["--phantom", "CT", "--fixed_contrast", "T2"], "--fixed_contrast.*name --heads"),
        (["--phantom", "CT", "--modality", "PET"], "--modality: the pairs of --suite and --ph"),
        (["--suite", "validation", "--modality", "CT"], "--modality: the pairs of --suite and"),
        (["--heads", "x", "--kinds", "head"], "--kinds, --data: apply to a suite only"),
        (["--phantom", "CT", "--data", "x"], "--kinds, --data: apply to a suite only"),
        (["--phantom", "CT", "--methods", "ants"], "antspyx: not installed; run .*, or leave ants"),
        (["--heads", "x"], "--heads: name the --modality"),
        (["--suite", "validation"], "--suite: name the --data, or take --kinds phantom"),
        (["--suite", "validation", "--kinds", "head", "--data", "x"], "x/heads: no such folder"),
        (
            ["--suite", "validation", "--kinds", "phantom MR"],
            "phantom MR: not a kind of pair; there",
        ),
    ],
)
def test_what_cannot_be_measured_is_one_line(options, message, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ants", None)  # as if they were missing
    with pytest.raises(SystemExit, match=f"^error: {message}[^\n]*$"):
        volume_accuracy.main([*options, "--output_dir", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
