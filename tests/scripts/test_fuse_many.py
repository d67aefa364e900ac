"""Many pairs at once, by a folder's names or a list."""

import argparse
import csv
import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext

import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.paths import ROOT
from bundle.workflow import parallel
from bundle.workflow.folders import find_pairs
from scripts import fuse, run_pairs
from scripts.ending import Ended
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
        fuse.main(command, **stub, guard=False)
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


def test_an_id_given_twice_is_one_row_that_failed(studies, stub, tmp_path, capsys):  # noqa: F811
    pair = {"fixed": "c_fixed.nii.gz", "moving": "c_moving.nii.gz"}
    listed = [{"id": "a", **pair}, {"id": "a", **pair}]
    (studies / "p.json").write_text(json.dumps({"testing": listed}))
    command = ["--datalist", str(studies / "p.json"), "--output_dir", str(tmp_path / "out")]
    for options in ([], ["--skip_existing"]):
        with pytest.raises(SystemExit) as stop:
            fuse.main([*command, *options, "--device", "cpu"], **stub)
        assert stop.value.code == 1
        assert "error: a (entry 2): " in capsys.readouterr().err
        found = {name: row["status"] for name, row in rows(tmp_path / "out").items()}
        assert found == {"a": "skipped" if options else "done", "a (entry 2)": "failed"}


LAUNCHED = """
import sys
from scripts import fuse, run_pairs
stub = {"_target_": "tests.inference.stubs.KnownField"}
fuse.main(sys.argv[2:], network_def=stub, checkpoint=sys.argv[1], device="cpu")
"""


def test_two_processes_share_a_list_and_write_what_one_writes(stub, tmp_path):  # noqa: F811
    for k in range(3):
        write_volume(tmp_path / f"f{k}.nii.gz", smooth((4, 40, 36), k))
        write_volume(tmp_path / f"m{k}.nii.gz", smooth((4, 40, 36), k + 5))
    entries = [{"id": f"p{k}", "fixed": f"f{k}.nii.gz", "moving": f"m{k}.nii.gz"} for k in range(3)]
    entries.insert(0, {**entries[0], "id": "bad", "moving": "nowhere.nii.gz"})
    (tmp_path / "pairs.json").write_text(json.dumps({"testing": entries}))
    (tmp_path / "launched.py").write_text(LAUNCHED)
    command = ["--datalist", str(tmp_path / "pairs.json"), "--init", "none", "--output_dir"]
    with pytest.raises(SystemExit):
        fuse.main([*command, str(tmp_path / "one")], device="cpu", **stub)
    two = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    script = [str(tmp_path / "launched.py"), stub["checkpoint"], *command, str(tmp_path / "two")]
    done = subprocess.run(
        [*two, *script], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.count("error: bad: ") == 1
    tables = [list(rows(tmp_path / name).values()) for name in ("one", "two")]
    for row in (*tables[0], *tables[1]):
        row.pop("seconds")
    assert tables[0] == tables[1]
    assert [row["status"] for row in tables[0]] == ["failed", "done", "done", "done"]
    for k in range(3):
        for name in ("fused", "warped", "ddf"):
            arrays = [
                sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / n / f"p{k}" / f"{name}.nii.gz"))
                for n in ("one", "two")
            ]
            assert (arrays[0] == arrays[1]).all()


def test_a_single_pair_is_not_shared(monkeypatch, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit, match="error: a single pair is one process's work"):
        fuse.main(["--fixed", "a.png", "--moving", "b.png", "--output_dir", str(tmp_path)])


@pytest.mark.parametrize("processes", [1, 2])
def test_a_process_that_is_ended_waits_for_no_other(processes, studies, tmp_path, monkeypatch):
    waited = []

    def ended(*_):
        raise Ended(143)

    monkeypatch.setattr(run_pairs, "_run_share", ended)
    monkeypatch.setattr(parallel, "launched", lambda: nullcontext(processes))
    monkeypatch.setattr(parallel, "gather_dealt", lambda rows: waited.append(rows) or rows)
    command = ["--input_dir", str(studies), "--output_dir", str(tmp_path), "--device", "cpu"]
    with pytest.raises(Ended) as stop:
        fuse.main(command)
    assert stop.value.code == 143 and bool(waited) == (processes == 1)
    assert (tmp_path / "summary.csv").exists() == (processes == 1)


def test_pairs_that_a_broken_run_left_are_not_called_done(studies, stub, tmp_path):  # noqa: F811
    (tmp_path / "out").mkdir()
    command = ["--input_dir", str(studies), "--output_dir", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        fuse.main([*command, "--device", "cpu"], **{**stub, "checkpoint": "nowhere.pt"})
    assert {row["status"] for row in rows(tmp_path / "out").values()} == {"not done"}


def test_a_list_may_name_frames(studies, tmp_path):
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
    record, lonely = find_pairs(tmp_path / "bids", tmp_path / "out")
    assert "sub-02_ct.nii.gz: has no fixed image of its name beside it" in lonely["error"]
    assert record["fixed"].endswith("sub-01_T1w.nii.gz")
    assert record["moving"].endswith("sub-01_pet.nii.gz")
    assert record["modality"] == "PET"
    with pytest.raises(InputError, match="holds no pair"):
        find_pairs(tmp_path / "bids" / "sub-02", tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_pairs(tmp_path / "none", tmp_path)


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize("name", ["summary.csv", "summary.html"])
def test_a_table_of_somebody_else_is_not_replaced(name, studies, stub, tmp_path):  # noqa: F811
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    command = ["--input_dir", str(studies), "--output_dir", str(out), "--device", "cpu"]
    with pytest.raises(SystemExit, match=f"^error: .*{name}: exists and is not a result[^\n]*$"):
        fuse.main([*command, "--overwrite"], **stub, guard=False)
    assert [path.name for path in out.iterdir()] == [name]
    assert (out / name).read_text(encoding="utf-8") == "mine"


def test_a_table_that_cannot_be_written_is_told(tmp_path, capsys):
    (tmp_path / "summary.csv").mkdir()
    run_pairs._write_table([], argparse.Namespace(bids=None, output_dir=str(tmp_path)))
    assert capsys.readouterr().err.startswith(f"warning: {tmp_path / 'summary.csv'}: cannot be")


def test_of_several_mris_of_bids_none_is_taken_silently(tmp_path):
    folder = tmp_path / "sub-01"
    touch(*(folder / f"sub-01_{end}.nii" for end in ("run-1_T1w", "space-MNI_T1w", "pet")))
    (record,) = find_pairs(tmp_path, tmp_path / "out")
    assert record["fixed"].endswith("sub-01_run-1_T1w.nii")
    touch(folder / "sub-01_run-2_T1w.nii")
    other = tmp_path / "sub-02"
    touch(other / "sub-02_T1w.nii", other / "ses-1" / "sub-02_ses-1_pet.nii")
    bad, good = find_pairs(tmp_path, tmp_path / "out")
    assert re.search(r"run-1_T1w.*run-2_T1w.*several MRIs for .*_pet", bad["error"])
    assert good["fixed"].endswith("sub-02_T1w.nii")  # the subject's, where a session has none


def test_folders_are_searched_through_links_and_without_hidden_files(tmp_path):
    study = tmp_path / "elsewhere"
    touch(*(study / f"{start}a_{side}.nii" for start in ("", "._") for side in ("fixed", "moving")))
    touch(study / "b_moving.nii")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(study)
    (study / "back").symlink_to(tmp_path / "in")  # a circle
    pair, lonely = find_pairs(tmp_path / "in", tmp_path / "out")
    assert (pair["id"], lonely["id"]) == ("link_a", "link_b")
    assert "b_moving.nii: has no fixed image of its name beside it" in lonely["error"]


def test_options_of_one_pair_are_not_dropped_silently(tmp_path):
    touch(*(tmp_path / f"a_{side}.nii" for side in ("fixed", "moving")))
    (record,) = find_pairs(tmp_path, tmp_path / "out", "PET")
    assert record["modality"] == "PET"
    (tmp_path / "p.json").write_text("{}")
    where = ["--output_dir", str(tmp_path / "out")]
    folder, listed = ["--input_dir", str(tmp_path)], ["--datalist", str(tmp_path / "p.json")]
    for command in ([*folder, "--frame", "3"], [*listed, "--series", "1"]):
        with pytest.raises(SystemExit, match="is for one pair; name it in a --datalist"):
            fuse.main([*command, *where])
    with pytest.raises(SystemExit, match="--modality: name it in the list"):
        fuse.main([*listed, "--modality", "CT", *where])


def test_two_studies_of_one_name_have_ids_of_their_own(tmp_path):
    for day in ("day1", "day2"):
        touch(*(tmp_path / "anna" / day / f"anna_{side}.png" for side in ("fixed", "moving")))
    touch(*(tmp_path / "bert" / f"bert_{side}.png" for side in ("fixed", "moving")))
    ids = [record["id"] for record in find_pairs(tmp_path, tmp_path / "out")]
    assert ids == ["anna_day1_anna", "anna_day2_anna", "bert"]


def test_pairs_that_cannot_be_told_apart_are_refused(tmp_path):
    for kind in ("png", "nii"):
        touch(*(tmp_path / f"x_{side}.{kind}" for side in ("fixed", "moving")))
    with pytest.raises(InputError, match=r"x_fixed.*, .*x_moving.*: are two pairs called 'x'"):
        find_pairs(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("command", [[], ["--fixed", "a"], ["--fixed", "a", "--datalist", "b"]])
def test_pairs_are_named_in_one_way(command, tmp_path):
    with pytest.raises(SystemExit, match="error: name "):
        fuse.main([*command, "--output_dir", str(tmp_path)])
