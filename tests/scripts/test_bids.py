"""A BIDS dataset becomes derivatives of the same layout, and a page of all."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.workflow.bids.dataset import IGNORED, write_dataset
from scripts import bids, fuse
from tests.scripts.bids import write_bids
from tests.scripts.test_fuse import stub  # noqa: F401

NAMES = (
    "sub-01/anat/sub-01_T1w",
    "sub-01/pet/sub-01_trc-FDG_pet",
    "sub-01/ct/sub-01_ct",
    "sub-02/anat/sub-02_T1w",
    "sub-02/pet/sub-02_trc-FDG_pet",
)
VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")
QUICK = ["--init", "none", "--plane", "axial", "--device", "cpu"]


@pytest.fixture
def dataset(tmp_path):
    root = write_bids(tmp_path / "my data", *NAMES)
    said = {"Units": "Bq/mL", "TracerName": "FDG", "InjectedMass": float("nan")}
    (root / "sub-01/pet/sub-01_trc-FDG_pet.json").write_text(json.dumps(said))
    return root


@pytest.fixture
def app(dataset, stub):  # noqa: F811
    def run(*words: str) -> Path:
        out = dataset / "derivatives" / "bimsrec"
        more = [] if "group" in words else QUICK
        bids.main([str(dataset), str(out), *words, *more], guard=False, **stub)
        return out

    return run


def table(out):
    with (out / "group_registration.tsv").open(encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file, delimiter="\t")}


def content(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_derivatives_are_named_and_described_as_the_standard_says(app, dataset):
    out = app("participant", "--participant_label", "01")
    written = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    pet, ct = "sub-01/pet/sub-01_trc-FDG", "sub-01/ct/sub-01"
    expected = {"dataset_description.json", "README.md", ".bidsignore"}
    for stem, kind in ((pet, "pet"), (ct, "ct")):
        descriptions = ["registered", "fused"] + ["fusedcolor"] * (kind == "pet")
        names = [f"{stem}_space-T1w_desc-{one}_{kind}" for one in descriptions]
        expected |= {name + end for name in names for end in (".nii.gz", ".json")}
        ways = ((kind, "T1w"), ("T1w", kind))
        stems = [f"{stem}_from-{a}_to-{b}_mode-image_xfm" for a, b in ways]
        expected |= {name + end for name in stems for end in (".h5", ".json")}
        figure = "sub-01/figures/" + Path(stem).name
        expected |= {f"{figure}_desc-report_{kind}{end}" for end in (".html", ".json")}
        expected.add(f"{figure}_desc-thumbnail_{kind}.png")
    uncertain = {name for name in written if "_desc-uncertainty_" in name}
    assert written - uncertain == expected
    said = content(out / f"{pet}_space-T1w_desc-registered_pet.json")
    t1w = "bids:raw:sub-01/anat/sub-01_T1w.nii.gz"
    assert said["SpatialReference"] == t1w
    assert said["Sources"] == ["bids:raw:sub-01/pet/sub-01_trc-FDG_pet.nii.gz", t1w]
    assert (said["Units"], said["TracerName"]) == ("Bq/mL", "FDG")
    assert said["RegistrationParameters"]["init"] == "none"
    described = content(out / "dataset_description.json")
    assert described["DatasetType"] == "derivative"
    assert (out / described["DatasetLinks"]["raw"]).resolve() == dataset.resolve()


def test_the_transform_brings_the_image_onto_the_t1w(app, dataset):
    out = app("participant", "--participant_label", "sub-02")
    moving = sitk.ReadImage(dataset / "sub-02/pet/sub-02_trc-FDG_pet.nii.gz", sitk.sitkFloat64)
    fixed = sitk.ReadImage(dataset / "sub-02/anat/sub-02_T1w.nii.gz")
    stem = out / "sub-02/pet/sub-02_trc-FDG"
    transform = sitk.ReadTransform(f"{stem}_from-pet_to-T1w_mode-image_xfm.h5")
    again = sitk.Resample(moving, fixed, transform, sitk.sitkLinear, 0.0)
    written = sitk.ReadImage(f"{stem}_space-T1w_desc-registered_pet.nii.gz")
    assert np.allclose(*map(sitk.GetArrayFromImage, (again, written)), atol=2e-3)
    assert not np.allclose(*map(sitk.GetArrayFromImage, (moving, written)), atol=2e-2)


def test_the_validator_finds_nothing_wrong(app):
    out = app("participant")
    app("group")
    done = subprocess.run(
        [str(VALIDATOR), str(out), "--format", "json", "--datasetTypes", "derivative"],
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [one for one in issues if one["severity"] == "error"] == []
    assert {one["code"] for one in issues} <= {"TOO_FEW_AUTHORS", "README_FILE_SMALL"}
    assert done.returncode == 0


def test_what_is_done_stays_and_what_failed_is_told(app, dataset, capsys):
    good = (dataset / NAMES[4]).with_suffix(".nii.gz")
    kept = good.read_bytes()
    good.write_bytes(b"damaged")
    with pytest.raises(SystemExit) as stop:
        app("participant")
    assert stop.value.code == 1
    assert capsys.readouterr().err.count("error: sub-02_trc-FDG_pet: ") == 1
    out = app("group")
    states = {name: row["status"] for name, row in table(out).items()}
    assert list(states) == ["sub-02_trc-FDG_pet", "sub-01_ct", "sub-01_trc-FDG_pet"]
    assert list(states.values()) == ["failed", "done", "done"]
    assert "is not what its suffix says" in table(out)["sub-02_trc-FDG_pet"]["remarks"]
    times = {path: path.stat().st_mtime_ns for path in (out / "sub-01").rglob("*.*")}
    good.write_bytes(kept)
    app("participant")
    assert times == {path: path.stat().st_mtime_ns for path in (out / "sub-01").rglob("*.*")}
    assert not list((out / "logs").iterdir()) and not list((out / ".work").iterdir())
    app("group")
    assert {row["status"] for row in table(out).values()} == {"done"}
    assert table(out)["sub-01_ct"]["participant_id"] == "sub-01"


def test_the_table_has_what_was_done_with_a_chosen_t1w(app, dataset):
    root = write_bids(dataset, *(f"sub-02/anat/sub-02_run-{n}_T1w" for n in (1, 2)))
    (root / "sub-02/anat/sub-02_T1w.nii.gz").unlink()
    app("participant", "--participant_label", "02", "--t1w", "run-1")
    out = app("group")
    assert table(out)["sub-02_trc-FDG_pet"]["status"] == "done"
    app("participant", "--participant_label", "02")  # stays, as all that is done
    said = content(out / "sub-02/pet/sub-02_trc-FDG_space-T1w_desc-registered_pet.json")
    assert said["SpatialReference"].endswith("sub-02_run-1_T1w.nii.gz")


def test_a_killed_run_goes_on(app, monkeypatch, dataset):
    """It ends between two files of a result; the next run makes all of it."""
    replace = Path.replace

    def killed(self, target):
        if Path(target).name.endswith("desc-registered_ct.nii.gz"):
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            app("participant", "--participant_label", "01")
    out = app("participant", "--participant_label", "01")
    finished = out / "sub-01/ct/sub-01_space-T1w_desc-registered_ct.json"
    assert finished.is_file() and finished.with_suffix("").with_suffix(".nii.gz").is_file()
    assert not list((out / ".work").iterdir())
    app("group")
    assert not (out / ".work").exists()


def test_the_other_command_does_both_levels(dataset, stub, tmp_path, capsys):  # noqa: F811
    out = tmp_path / "out"
    write_bids(dataset, "sub-01/anat/sub-01_rec-norm_T1w")
    words = ["--bids", str(dataset), "--derivatives", str(out), "--t1w", "plain", *QUICK]
    fuse.main(words, guard=False, **stub)
    assert capsys.readouterr().out.strip() == f"results in {out}"
    assert [row["status"] for row in table(out).values()] == ["done"] * 3
    page = (out / "group_registration.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3 and "http" not in page
    for link in re.findall('href="([^"]*)"', page):
        assert (out / link).is_file()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--bids", "data"], "error: name a folder for the results: --derivatives"),
        (["--bids", "data", "--derivatives", "o", "--dicom_output"], "BIDS has no place for it"),
        (["--bids", "data", "--derivatives", "o", "--output_dir", "p"], "without --output_dir"),
        (["--input_dir", "data", "--output_dir", "o", "--t1w", "plain"], "give --bids"),
        (["--bids", "nowhere", "--derivatives", "o"], "nowhere: no such folder"),
        (["--bids", "data", "--derivatives", "data"], "holds the images themselves"),
        (["--fixed", "a.png", "--moving", "b.png"], "error: name a folder for the results"),
        (
            ["--fixed", "a.png", "--moving", "b.png", "--output_dir", ""],
            "error: name a folder for the results: --output_dir",
        ),
        (["--bids", "data", "--derivatives", ""], "error: name a folder for the results"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(words, line, tmp_path, monkeypatch):
    write_bids(tmp_path / "data", *NAMES[:2])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=line):
        fuse.main(words)


def test_a_group_without_results_is_refused(dataset, tmp_path):
    with pytest.raises(SystemExit, match="out: holds no results of this dataset; run participant"):
        bids.main([str(dataset), str(tmp_path / "out"), "group", "--skip_bids_validation"])
    assert not (tmp_path / "out").exists()


def test_derivatives_of_another_program_stay(dataset, tmp_path):
    out = tmp_path / "fmriprep"
    out.mkdir()
    (out / "dataset_description.json").write_text('{"GeneratedBy": [{"Name": "fMRIPrep"}]}')
    with pytest.raises(SystemExit, match="is the dataset of another program"):
        bids.main([str(dataset), str(out), "participant"])
    assert len(list(out.iterdir())) == 1


def test_results_of_another_dataset_are_not_taken_as_done(app, dataset, tmp_path):
    """Both have images of the same names; the table would show those of the first one."""
    out = app("participant", "--participant_label", "01")
    other = write_bids(tmp_path / "other", *NAMES)
    for level in ("participant", "group"):
        with pytest.raises(SystemExit, match=r"results of another dataset \(.*my data\); choose a"):
            bids.main([str(other), str(out), level])
    moved = dataset.rename(tmp_path / "moved together")
    bids.main([str(moved), str(moved / "derivatives" / "bimsrec"), "group"])
    assert table(moved / "derivatives" / "bimsrec")["sub-01_ct"]["status"] == "done"


def test_a_readme_and_ignored_names_of_the_user_stay(dataset, tmp_path):
    out = tmp_path / "project"
    out.mkdir()
    (out / "README.md").write_text("my notes")
    (out / ".bidsignore").write_bytes(b"\xe9tude\n*_ct.*")
    write_dataset(out, dataset)
    assert (out / "README.md").read_text() == "my notes"
    lines = (out / ".bidsignore").read_bytes().splitlines()
    assert lines[:2] == [b"\xe9tude", b"*_ct.*"]
    assert sorted(lines[1:]) == sorted(IGNORED.encode().splitlines())


def test_a_result_that_cannot_be_described_leaves_nothing(app, monkeypatch, capsys):
    def refuse(*arguments):
        raise ValueError("not JSON")

    monkeypatch.setattr("bundle.workflow.bids.save.as_json", refuse)
    with pytest.raises(SystemExit):
        app("participant", "--participant_label", "02")
    assert "not JSON" in capsys.readouterr().err
    monkeypatch.undo()
    out = app("participant", "--participant_label", "01")
    assert not (out / "sub-02").exists()
