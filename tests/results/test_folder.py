from contextlib import suppress
from pathlib import Path

import pydicom
import pytest

from bundle.errors import InputError
from bundle.options import options_of
from bundle.results.folder import FUSED, PICTURES, RESULTS, staged
from bundle.results.labels import write_labels
from bundle.results.whole_file import whole_file
from bundle.workflow import RefuseExistingd

KEEP = RefuseExistingd(options_of())
REPLACE = RefuseExistingd(options_of(overwrite=True))
PAIR = {"fixed": "f", "moving": "m"}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_results_appear_together(tmp_path):
    with staged(tmp_path / "new" / "a") as stage:
        (stage / "fused.png").touch()
        assert names(tmp_path / "new" / "a") == [stage.name]
    assert names(tmp_path / "new" / "a") == ["fused.png"]


@pytest.mark.parametrize("fused", FUSED)
def test_the_fused_image_moves_last(fused, tmp_path, monkeypatch):
    replace, moved = Path.replace, []
    monkeypatch.setattr(
        Path, "replace", lambda path, to: moved.append(path.name) or replace(path, to)
    )
    others = sorted(set(RESULTS) - set(FUSED))
    with staged(tmp_path) as stage:
        for name in (*others, fused):
            (stage / name).touch()
    assert sorted(moved[:-1]) == others and moved[-1] == fused


def test_failure_leaves_nothing_behind(tmp_path):
    with pytest.raises(RuntimeError), staged(tmp_path / "new" / "a") as stage:
        (stage / "fused.png").touch()
        raise RuntimeError
    assert names(tmp_path) == []


def test_failure_leaves_what_was_there(tmp_path):
    (tmp_path / "fused.png").write_text("old")
    with pytest.raises(RuntimeError), staged(tmp_path) as stage:
        (stage / "fused.png").write_text("new")
        raise RuntimeError
    assert names(tmp_path) == ["fused.png"]
    assert (tmp_path / "fused.png").read_text(encoding="utf-8") == "old"


def test_older_results_go_and_other_files_stay(tmp_path):
    for name in ("fused.nii.gz", "warped.nii.gz", "notes.txt"):
        (tmp_path / name).write_text("old")
    with staged(tmp_path) as stage:
        (stage / "fused.png").touch()
    assert names(tmp_path) == ["fused.png", "notes.txt"]


@pytest.mark.parametrize(
    ("older", "mine"),
    [("fused.png", "labels.csv"), ("fused.png", "overlay.png"), ("fused.nii.gz", "warped.png")],
)
def test_what_results_of_that_kind_do_not_have_stays(older, mine, tmp_path):
    for name in (older, mine):
        (tmp_path / name).write_text("old")
    with staged(tmp_path) as stage:
        (stage / older).touch()
    assert names(tmp_path) == sorted([older, mine])
    with (
        pytest.raises(InputError, match=f"{mine}: exists and is not a result"),
        staged(tmp_path) as stage,
    ):
        (stage / older).touch()
        (stage / mine).touch()
    assert (tmp_path / mine).read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(
    "content", ["[]", "{", "{}", '{"files": 3}', '{"files": ["fused.nii.gz"]}']
)
def test_the_report_says_which_files_are_of_the_result(content, tmp_path):
    (tmp_path / "report.json").write_text(content)
    for name in ("fused.nii.gz", "rigid.mat", "notes.txt"):
        (tmp_path / name).write_text("old")
    with staged(tmp_path) as stage:
        (stage / "fused.nii.gz").touch()
    mine = ["report.json", "rigid.mat"] if "nii" in content else []
    assert names(tmp_path) == sorted(["fused.nii.gz", "notes.txt", *mine])


@pytest.mark.parametrize(("ours", "stays"), [(True, False), (False, True)])
def test_a_table_of_labels_is_looked_into_before_it_goes(ours, stays, tmp_path):
    (tmp_path / "fused.nii.gz").touch()
    if ours:
        write_labels([], tmp_path / "labels.csv")
    else:
        (tmp_path / "labels.csv").write_text("1,cortex")
    with suppress(InputError), staged(tmp_path) as stage:
        (stage / "fused.nii.gz").touch()
    assert (tmp_path / "labels.csv").exists() is stays


def test_files_of_the_same_names_are_not_results_without_a_fused_one(tmp_path):
    for name in ("report.json", "report.html"):
        (tmp_path / name).write_text("mine")
    with staged(tmp_path) as stage:  # a picture has no report
        (stage / "fused.png").touch()
    assert names(tmp_path) == ["fused.png", "report.html", "report.json"]
    (tmp_path / "fused.png").unlink()
    with (
        pytest.raises(InputError, match=r"report\.json: exists and is not a result"),
        staged(tmp_path) as stage,
    ):
        (stage / "fused.nii.gz").touch()
        (stage / "report.json").write_text("new")
    assert names(tmp_path) == ["report.html", "report.json"]
    assert (tmp_path / "report.json").read_text(encoding="utf-8") == "mine"


def test_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written to"):
        KEEP({**PAIR, "output_dir": str(tmp_path / "file" / "a")})
    with pytest.raises(InputError, match="cannot be written to"), staged(tmp_path / "file" / "a"):
        pass


def test_existing_results_are_refused(tmp_path):
    data = {**PAIR, "output_dir": str(tmp_path)}
    (tmp_path / "qc.png").touch()
    assert KEEP(data) is data
    (tmp_path / "fused.nii.gz").touch()
    with pytest.raises(InputError, match="holds results already"):
        KEEP(data)


def test_existing_results_are_let_pass_on_request(tmp_path):
    (tmp_path / "fused.png").touch()
    REPLACE({**PAIR, "output_dir": str(tmp_path)})


def killed(folder, moving):
    (folder / ".result-x").mkdir()
    (folder / ".result-x" / "fused.nii.gz").touch()
    if moving:
        (folder / ".result-x" / ".moving").write_text("\n".join(PICTURES))


@pytest.mark.parametrize("left", [["warped.png"], ["warped.png", "ddf.nii.gz"], ["fused.png"], []])
def test_what_a_killed_run_left_gives_way(left, tmp_path):
    killed(tmp_path, moving=True)
    for name in (*left, "notes.txt"):
        (tmp_path / name).touch()
    with staged(tmp_path) as stage:
        for name in ("fused.png", "warped.png"):
            (stage / name).touch()
    assert names(tmp_path) == ["fused.png", "notes.txt", "warped.png"]


def test_files_that_were_there_before_a_killed_run_stay(tmp_path):
    killed(tmp_path, moving=False)
    (tmp_path / "transform.h5").write_text("mine")
    with staged(tmp_path) as stage:
        (stage / "fused.png").touch()
    assert names(tmp_path) == ["fused.png", "transform.h5"]


def test_what_a_killed_run_had_not_begun_to_replace_stays(tmp_path):
    killed(tmp_path, moving=True)
    for name in ("transform.h5", "overlay.png"):
        (tmp_path / name).write_text("mine")
    with staged(tmp_path) as stage:
        (stage / "fused.png").touch()
    assert names(tmp_path) == ["fused.png", "overlay.png", "transform.h5"]


def test_a_run_says_what_it_replaces_before_it_moves_anything(tmp_path, monkeypatch):
    moved = []
    with staged(tmp_path) as stage:
        for name in ("fused.png", "warped.png"):
            (stage / name).touch()
        monkeypatch.setattr(
            Path, "replace", lambda path, to: moved.append((path.parent / ".moving").read_text())
        )
    assert moved == ["fused.png\nwarped.png"] * 2


def test_a_run_that_lives_keeps_its_folder(tmp_path):
    with staged(tmp_path) as first:
        (first / "fused.png").write_text("first")
        with staged(tmp_path) as second:
            (second / "fused.png").write_text("second")
        assert first.is_dir()
    assert (tmp_path / "fused.png").read_text(encoding="utf-8") == "first"
    assert names(tmp_path) == ["fused.png"]


def test_an_input_folder_called_dicom_is_no_result(tmp_path):
    (tmp_path / "dicom").mkdir()
    data = {"output_dir": str(tmp_path), "fixed": str(tmp_path / "dicom"), "moving": "m"}
    assert KEEP(data) is data
    (tmp_path / "fused.nii.gz").touch()
    with pytest.raises(InputError, match="dicom: a result would take its place"):
        REPLACE(data)


def test_only_files_of_a_result_s_names_are_results(tmp_path):
    for name in ("fused.txt", "warped.notes.md"):
        (tmp_path / name).touch()
    KEEP({**PAIR, "output_dir": str(tmp_path)})
    with staged(tmp_path) as stage:
        (stage / "fused.png").touch()
    with staged(tmp_path) as stage:
        (stage / "fused.png").touch()
    assert names(tmp_path) == ["fused.png", "fused.txt", "warped.notes.md"]


def test_a_result_does_not_take_the_place_of_its_own_input(tmp_path):
    data = {"output_dir": str(tmp_path), "fixed": "mri.png", "moving": str(tmp_path / "warped.png")}
    with pytest.raises(InputError, match=r"warped\.png: a result would take its place"):
        REPLACE(data)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.mhd"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole_file(path, 10, overwrite=True) as stage:
        stage.write_text("new")
        raise RuntimeError
    assert names(tmp_path) == ["a.mhd"] and path.read_text(encoding="utf-8") == "old"
    (tmp_path / "link.mhd").symlink_to(path)
    with whole_file(tmp_path / "link.mhd", 10, overwrite=True) as stage:
        stage.write_text("new")
        stage.with_suffix(".raw").write_text("data")
    assert names(tmp_path) == ["a.mhd", "a.raw", "link.mhd"]
    assert path.read_text(encoding="utf-8") == "new" and (tmp_path / "link.mhd").is_symlink()
    path.unlink()
    with pytest.raises(OSError, match=r"a\.raw exists already"), whole_file(path, 10) as stage:
        stage.write_text("other")
        stage.with_suffix(".raw").write_text("other")
    assert (tmp_path / "a.raw").read_text(encoding="utf-8") == "data"


def test_an_older_series_goes_but_nobody_elses_folder(tmp_path):
    (tmp_path / "dicom").mkdir()
    for name in ("fused.nii.gz", "dicom/notes.txt"):
        (tmp_path / name).write_text("old")
    write_slice(tmp_path / "dicom" / "0001.dcm", "BiMSRec")
    with pytest.raises(InputError, match="notes.txt: exists and is not a result"), staged(tmp_path):
        pass
    assert (tmp_path / "fused.nii.gz").exists() and (tmp_path / "dicom" / "0001.dcm").exists()
    (tmp_path / "dicom" / "notes.txt").rename(tmp_path / "dicom" / ".DS_Store")
    with staged(tmp_path) as stage:  # what a file manager leaves is nobody's
        (stage / "fused.nii.gz").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["fused.nii.gz"]


@pytest.mark.parametrize("manufacturer", ["SIEMENS", None])
def test_slices_of_a_scanner_are_told_before_any_work(manufacturer, tmp_path):
    (tmp_path / "dicom").mkdir()
    (tmp_path / "fused.nii.gz").write_text("old")
    write_slice(tmp_path / "dicom" / "0001.dcm", manufacturer)
    with pytest.raises(InputError, match=r"0001\.dcm: exists and is not a result"):
        REPLACE({**PAIR, "output_dir": str(tmp_path)})


@pytest.mark.parametrize("manufacturer", ["SIEMENS", None])
def test_slices_of_a_scanner_are_no_results(manufacturer, tmp_path):
    (tmp_path / "dicom").mkdir()
    (tmp_path / "fused.nii.gz").write_text("old")
    write_slice(tmp_path / "dicom" / "0001.dcm", manufacturer)
    message = r"0001\.dcm: exists and is not a result"
    with pytest.raises(InputError, match=message), staged(tmp_path) as stage:
        (stage / "fused.nii.gz").touch()
    assert (tmp_path / "dicom" / "0001.dcm").exists()
    assert (tmp_path / "fused.nii.gz").read_text(encoding="utf-8") == "old"


def write_slice(path, manufacturer):
    """A DICOM file without pixels; no DICOM at all where no manufacturer is named."""
    if manufacturer is None:
        path.write_text("text")
        return
    header = pydicom.Dataset()
    header.SOPClassUID, header.SOPInstanceUID = pydicom.uid.MRImageStorage, "1.2.3"
    header.Manufacturer = manufacturer
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    header.save_as(path, enforce_file_format=True)
