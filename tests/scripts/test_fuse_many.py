"""Many pairs at once, by a folder's names or a list."""

import csv
import json

import pytest

from bundle.errors import InputError
from bundle.inference.folders import find_pairs
from scripts import fuse
from tests.inference.images import smooth, write_grey, write_volume
from tests.scripts.test_fuse import stub  # noqa: F401


def rows(folder):
    with (folder / "summary.csv").open(encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


@pytest.fixture
def studies(tmp_path):
    folder = tmp_path / "with space ü"
    folder.mkdir()
    for name in ("a", "b"):
        write_grey(folder / f"{name}_fixed.png", seed=1)
        write_grey(folder / f"{name}_moving.png", seed=2)
    (folder / "b_moving.png").write_text("no picture")
    for k, side in enumerate(("fixed", "moving")):
        write_volume(folder / f"c_{side}.nii.gz", smooth((4, 40, 36), k))
    return folder


def test_a_bad_study_stops_no_other_and_stands_in_the_table(studies, stub, tmp_path, capsys):  # noqa: F811
    out = tmp_path / "out"
    command = ["--input_dir", str(studies), "--output_dir", str(out), "--device", "cpu"]
    with pytest.raises(SystemExit) as stop:
        fuse.main(command, **stub)
    assert stop.value.code == 1
    table = rows(out)
    assert {name: row["status"] for name, row in table.items()} == {
        "a": "done",
        "b": "failed",
        "c": "done",
    }
    assert "b_moving.png: cannot be read" in table["b"]["remarks"]
    assert float(table["c"]["displacement_max_mm"]) > 0
    written = (out / "a" / "fused.png").stat().st_mtime_ns
    write_grey(studies / "b_moving.png", seed=2)
    fuse.main([*command, "--skip_existing"], **stub)
    assert {row["status"] for row in rows(out).values()} == {"skipped", "done"}
    assert rows(out)["b"]["status"] == "done"
    assert (out / "a" / "fused.png").stat().st_mtime_ns == written


def test_each_process_does_its_share(studies, stub, tmp_path, monkeypatch):  # noqa: F811
    write_grey(studies / "b_moving.png", seed=2)
    command = ["--input_dir", str(studies), "--output_dir", str(tmp_path / "out")]
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, done in (("1", {"b"}), ("0", {"a", "b", "c"})):
        monkeypatch.setenv("RANK", rank)
        fuse.main([*command, "--device", "cpu"], **stub)
        assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == done
        assert (tmp_path / "out" / f"summary_{rank}.csv").exists()


def test_a_list_may_name_frames(studies, tmp_path):
    import SimpleITK as sitk

    frames = [sitk.ReadImage(str(studies / f"c_{side}.nii.gz")) for side in ("fixed", "moving")]
    sitk.WriteImage(sitk.JoinSeries(frames), str(tmp_path / "four.nii.gz"))
    entry = {"id": "a", "fixed": "f", "moving": "m", "frame": 1, "series": "1.2"}
    (tmp_path / "pairs.json").write_text(
        json.dumps({"testing": [entry, {**entry, "id": "b", "frame": "x"}]})
    )
    good, bad = fuse.read_datalist(tmp_path / "pairs.json", tmp_path)
    assert good["frame"] == "1" and good["series"] == "1.2"
    assert "has the frame 'x'" in bad["error"]


def test_bids_names_are_paired(tmp_path):
    for name in (
        "sub-01/anat/sub-01_T1w",
        "sub-01/anat/sub-01_T2w",
        "sub-01/pet/sub-01_pet",
        "sub-02/ct/sub-02_ct",
    ):
        path = tmp_path / "bids" / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (record,) = find_pairs(tmp_path / "bids", tmp_path / "out")
    assert record["fixed"].endswith("sub-01_T1w.nii.gz")
    assert record["moving"].endswith("sub-01_pet.nii.gz")
    assert record["modality"] == "PET"
    with pytest.raises(InputError, match="holds no pair"):
        find_pairs(tmp_path / "bids" / "sub-02", tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_pairs(tmp_path / "none", tmp_path)


@pytest.mark.parametrize("command", [[], ["--fixed", "a"], ["--fixed", "a", "--datalist", "b"]])
def test_pairs_are_named_in_one_way(command, tmp_path):
    with pytest.raises(SystemExit, match="error: name "):
        fuse.main([*command, "--output_dir", str(tmp_path)])
