"""Which image of a BIDS dataset is registered onto which."""

from pathlib import Path

import pytest

from bundle.errors import InputError
from bundle.workflow.bids.find import find_bids, is_finished, require_dataset
from bundle.workflow.bids.names import image_of
from bundle.workflow.bids.sidecars import inherited


@pytest.fixture
def dataset(tmp_path):
    def write(*names: str) -> Path:
        for name in names:
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "data"

    return write


def pairs(root, **choice):
    found = find_bids(root, root / "derivatives", **choice)
    return {one["id"]: Path(one["fixed"]).name.partition(".")[0] for one in found}


def test_every_tracer_run_and_modality_is_a_pair_of_its_own(dataset):
    root = dataset(
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_ct.nii.gz",
        "sub-01/ct/sub-01_run-2_ct.nii",
        "sub-01/pet/sub-01_trc-FDG_pet.nii.gz",
        "sub-01/pet/sub-01_trc-PIB_run-1_pet.nii.gz",
        "sub-01/pet/sub-01_trc-PIB_run-1_pet.json",
        "sub-01/spect/sub-01_spect.nii.gz",
        "sub-01/nm/sub-01_acq-late_nm.nii.gz",
        "sub-01/pet/sub-01_trc-FDG_space-MNI_pet.nii.gz",  # computed
        "sub-01/pet/.sub-01_trc-X_pet.nii.gz",
        "derivatives/x/sub-01/pet/sub-01_trc-Y_pet.nii.gz",
        "sourcedata/sub-02/pet/sub-02_pet.nii.gz",
    )
    found = find_bids(root, root / "derivatives")
    assert {one["id"]: one["modality"] for one in found} == {
        "sub-01_ct": "CT",
        "sub-01_run-2_ct": "CT",
        "sub-01_trc-FDG_pet": "PET",
        "sub-01_trc-PIB_run-1_pet": "PET",
        "sub-01_spect": "SPECT",
        "sub-01_acq-late_nm": "SPECT",
    }
    assert len({one["output_dir"] for one in found}) == len(found)
    assert set(pairs(root).values()) == {"sub-01_T1w"}


def test_the_t1w_of_the_session_then_of_the_subject_then_of_another_session(dataset):
    root = dataset(
        "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz",
        "sub-01/ses-a/pet/sub-01_ses-a_pet.nii.gz",
        "sub-01/ses-b/pet/sub-01_ses-b_pet.nii.gz",
        "sub-02/ses-a/anat/sub-02_ses-a_T1w.nii.gz",
        "sub-02/anat/sub-02_T1w.nii.gz",
        "sub-02/ses-b/pet/sub-02_ses-b_pet.nii.gz",
    )
    assert pairs(root) == {
        "sub-01_ses-a_pet": "sub-01_ses-a_T1w",
        "sub-01_ses-b_pet": "sub-01_ses-a_T1w",
        "sub-02_ses-b_pet": "sub-02_T1w",
    }
    assert list(pairs(root, participants=["sub-01"], sessions=["b"])) == ["sub-01_ses-b_pet"]


def test_the_t1w_of_another_session_can_be_named(dataset):
    root = dataset(
        "sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz",
        "sub-01/ses-02/anat/sub-01_ses-02_T1w.nii.gz",
        "sub-01/ses-02/pet/sub-01_ses-02_pet.nii.gz",
    )
    (usual,) = find_bids(root, root / "derivatives")
    (named,) = find_bids(root, root / "derivatives", t1w=["ses-01"])
    assert usual["fixed"].endswith("ses-02_T1w.nii.gz")
    assert named["fixed"].endswith("ses-01_T1w.nii.gz")


def test_of_several_t1w_one_is_named_by_its_entities(dataset):
    root = dataset(
        "sub-01/anat/sub-01_acq-a_run-1_T1w.nii.gz",
        "sub-01/anat/sub-01_acq-a_run-10_T1w.nii.gz",
        "sub-01/anat/sub-01_part-phase_T1w.nii.gz",
        "sub-01/anat/sub-01_desc-brain_T1w.nii.gz",
        "sub-01/pet/sub-01_pet.nii.gz",
        "sub-02/ct/sub-02_ct.nii.gz",
    )
    several, none = find_bids(root, root / "derivatives")
    assert (
        "several T1w (sub-01_acq-a_run-10_T1w.nii.gz, sub-01_acq-a_run-1_T1w.nii.gz)"
        in (several["error"])
    )
    assert "sub-02_ct.nii.gz: its subject has no T1w; add it" in none["error"]
    assert not is_finished(several)
    (chosen,) = find_bids(root, root / "derivatives", participants=["01"], t1w=["acq-a", "run-1"])
    assert chosen["fixed"].endswith("sub-01_acq-a_run-1_T1w.nii.gz")


def test_a_single_t1w_is_not_chosen_by_its_name(dataset):
    root = dataset(
        "sub-01/anat/sub-01_run-1_T1w.nii.gz",
        "sub-01/anat/sub-01_run-2_T1w.nii.gz",
        "sub-01/pet/sub-01_pet.nii.gz",
        "sub-02/anat/sub-02_acq-a_T1w.nii.gz",
        "sub-02/pet/sub-02_pet.nii.gz",
    )
    assert pairs(root, t1w=["run-2"]) == {
        "sub-01_pet": "sub-01_run-2_T1w",
        "sub-02_pet": "sub-02_acq-a_T1w",
    }
    neither, _ = find_bids(root, root / "derivatives", t1w=["run-3"])
    assert "sub-01_run-2_T1w.nii.gz), none with run-3 in its name; name one" in neither["error"]


def test_the_plain_t1w_is_that_of_the_shortest_name(dataset):
    root = dataset(
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_rec-norm_T1w.nii.gz",
        "sub-01/pet/sub-01_pet.nii.gz",
        "sub-02/anat/sub-02_run-1_T1w.nii.gz",
        "sub-02/anat/sub-02_run-2_T1w.nii.gz",
        "sub-02/pet/sub-02_pet.nii.gz",
    )
    first, second = find_bids(root, root / "derivatives", t1w=["plain"])
    assert first["fixed"].endswith("sub-01_T1w.nii.gz")
    assert "there are several T1w" in second["error"]
    assert pairs(root, t1w=["plain", "run-1"], participants=["02"]) == {
        "sub-02_pet": "sub-02_run-1_T1w"
    }


def test_what_lies_with_another_subject_or_session_is_refused(dataset):
    root = dataset(
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/pet/sub-02_pet.nii.gz",
        "sub-02/anat/sub-02_T1w.nii.gz",
        "sub-03/ses-a/anat/sub-03_ses-a_T1w.nii.gz",
        "sub-03/ses-a/pet/sub-03_ses-b_pet.nii.gz",
        "sub-03/anat/sub-04_T1w.nii.gz",
        "sub-04/pet/sub-04_pet.nii.gz",
        "sub-05/ses-a/anat/sub-05_T1w.nii.gz",
        "sub-05/ses-a/pet/sub-05_pet.nii.gz",
    )
    image, session, head, unsaid = find_bids(root, root / "derivatives")
    assert "sub-02_pet.nii.gz: its name says sub-02, its folder sub-01;" in image["error"]
    assert "_pet.nii.gz: its name says ses-b, its folder ses-a; rename or" in session["error"]
    assert "sub-04_T1w.nii.gz: its name says sub-04, its folder sub-03" in head["error"]
    assert not is_finished(image) and "error" not in unsaid


def test_one_name_twice_is_no_pair(dataset):
    root = dataset(
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/ct/sub-01_ct.nii.gz",
        "sub-01/anat/sub-01_ct.nii",
    )
    assert all("is there 2 times" in one["error"] for one in find_bids(root, root / "derivatives"))


@pytest.mark.parametrize(
    ("out", "choice", "text"),
    [
        (".", {}, "holds the images themselves"),
        ("sub-01/x", {}, "holds the images themselves"),
        ("derivatives/a", {"participants": ["9"]}, "without sub-9; correct --participant_label"),
        ("derivatives/a", {"sessions": ["x"]}, "without ses-x; correct --session_label"),
    ],
)
def test_what_cannot_be_is_one_line(out, choice, text, dataset):
    root = dataset("sub-01/anat/sub-01_T1w.nii.gz", "sub-01/pet/sub-01_pet.nii.gz")
    with pytest.raises(InputError, match=text):
        find_bids(root, root / out, **choice)


def test_a_dataset_says_what_it_is(dataset, tmp_path):
    root = dataset("sub-01/anat/sub-01_T1w.nii.gz")
    with pytest.raises(InputError, match="holds no image to register"):
        find_bids(root, root / "derivatives")
    for text in ("", "[1]", '{"Name": "x"}'):
        (root / "dataset_description.json").write_text(text)
        with pytest.raises(InputError, match="or give --skip_bids_validation"):
            require_dataset(root)
    described = '{"Name": "x", "BIDSVersion": "1.10.0"}'
    (root / "dataset_description.json").write_text(described, encoding="utf-8-sig")
    require_dataset(root)
    with pytest.raises(InputError, match="no such folder"):
        find_bids(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(InputError, match="nowhere: no such folder"):
        require_dataset(tmp_path / "nowhere")


def test_sidecars_are_inherited(dataset):
    root = dataset("sub-01/pet/sub-01_trc-FDG_run-1_pet.nii.gz")
    (root / "pet.json").write_text('{"a": 1, "b": 1, "c": 1}')
    for other in ("trc-PIB_pet.json", "carpet.json", ".pet.json"):
        (root / other).write_text('{"a": 9}')
    (root / "sub-01" / "sub-01_pet.json").write_text('[["a", 9]]')
    (root / "sub-01" / "sub-01_trc-FDG_pet.json").write_text('{"b": 2, "c": 2}')
    (root / "sub-01/pet/sub-01_trc-FDG_run-1_pet.json").write_text('{"c": 3}')
    (root / "sub-01/pet/sub-01_pet.json").write_text("no JSON")
    image = image_of(root / "sub-01/pet/sub-01_trc-FDG_run-1_pet.nii.gz", root)
    assert inherited(image, root) == {"a": 1, "b": 2, "c": 3}


def test_a_sidecar_says_what_json_can_say(dataset):
    root = dataset("sub-01/pet/sub-01_pet.nii.gz")
    image = image_of(root / "sub-01/pet/sub-01_pet.nii.gz", root)
    said = '{"Units": "Bq/mL", "Mass": NaN, "Times": [1, 1e999], "Name": "\\ud800"}'
    image.path.with_suffix("").with_suffix(".json").write_text(said, encoding="utf-8-sig")
    assert inherited(image, root) == {"Units": "Bq/mL"}
