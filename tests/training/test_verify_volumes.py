"""Findings about folders of stacks and of tissue maps, good and bad ones."""

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.training.verify import require_usable
from scripts.verify_data import main

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def findings(folder, capsys, status=None):
    if status is None:
        main([str(folder)])
    else:
        with pytest.raises(SystemExit) as stop:
            main([str(folder)])
        assert stop.value.code == status
    return capsys.readouterr().out


def write(path, values, pixel=4.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(values, isVector=values.ndim == 4)
    image.SetSpacing([pixel, pixel, 6.0])
    sitk.WriteImage(image, str(path))


def stack(seed, depth=4, size=64, channels=()):
    """Discs full of noise, so that no two series are the same file."""
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    values = np.random.default_rng(seed).integers(60, 255, (depth, size, size, *channels))
    disc = (np.hypot(rows, columns) < 0.35).reshape(size, size, *(1 for _ in channels))
    return (values * disc).astype(np.uint8)


@pytest.fixture
def stacks(tmp_path):
    for seed, patient in enumerate(("train/anna", "train/bert", "val/cora")):
        write(tmp_path / patient / "MR-T2_1.nii.gz", stack(10 * seed))
        write(tmp_path / patient / "CT_1.nii.gz", stack(10 * seed + 1))
    write(tmp_path / "train/anna/SPECT-Tc_1.nii.gz", stack(7, size=32, channels=(3,)), pixel=8.0)
    return tmp_path


def test_good_stacks_pass(stacks, capsys):
    said = findings(stacks, capsys)
    assert "0 errors, 0 warnings" in said
    assert "stacks: 2 patients train, 1 val" in said
    assert "CT slices: 8 train, 4 val" in said and "SPECT slices: 4 train, 0 val" in said


def test_every_error_of_a_stack_is_one_line(stacks, capsys):
    anna, bert = stacks / "train/anna", stacks / "train/bert"
    write(anna / "CT_1.nii.gz", stack(1, channels=(3,)))
    write(anna / "CT_2.nii.gz", stack(2), pixel=5.0)
    write(anna / "PET-FDG_1.nii.gz", stack(3, depth=5, channels=(3,)))
    (bert / "CT_1.nii.gz").write_text("text")
    said = findings(stacks, capsys, status=1).splitlines()
    assert [line for line in said if line.startswith("error")] == [
        f"error: {anna / 'CT_1.nii.gz'}: is RGB, CT must be grey; export it in grey",
        f"error: {anna / 'CT_2.nii.gz'}: lies on another grid than CT_1.nii.gz; resample it",
        f"error: {anna / 'PET-FDG_1.nii.gz'}: has 5 slices, CT_1.nii.gz has 4; resample it",
        f"error: {bert / 'CT_1.nii.gz'}: cannot be read as a volume; copy it anew",
    ]
    with pytest.raises(InputError, match=r"CT_1.nii.gz: is RGB.* \(3 more: python -m scripts"):
        require_usable(stacks, "train")


def test_a_folder_or_a_link_to_nothing_in_a_volumes_place_is_named(stacks, capsys):
    series = stacks / "val/cora/CT_1.nii.gz"
    series.unlink()
    series.symlink_to(stacks / "nowhere.nii.gz")
    (stacks / "head_01.nii.gz").mkdir()
    said = findings(stacks, capsys, status=1)
    for path in (series, stacks / "head_01.nii.gz"):
        assert f"{path}: cannot be read as a volume; copy it anew" in said


def test_what_a_stack_does_not_use_is_warned_of(stacks, capsys):
    write(stacks / "train/anna/MR-T1_1.nii.gz", np.zeros((4, 64, 64), np.uint8))
    write(stacks / "train/anna/US_1.nii.gz", stack(40))
    (stacks / "train/bert/CT_1.nii.gz").unlink()
    said = findings(stacks, capsys)
    assert "MR-T1_1.nii.gz: is empty (all zeros); remove it" in said
    assert "US_1.nii.gz: is left out; begin its name with MR, CT, PET or SPECT" in said
    assert "bert: is left out; it needs an MRI (MR-T2_1.nii.gz) and a CT, PET or SPECT" in said
    assert "0 errors, 3 warnings" in said


def test_a_patient_of_stacks_on_both_sides_is_warned_of(stacks, capsys):
    write(stacks / "val/anna/MR-T2_1.nii.gz", stack(50))
    write(stacks / "val/anna/CT_1.nii.gz", stack(51))
    (stacks / "val/cora/CT_1.nii.gz").write_bytes((stacks / "train/bert/CT_1.nii.gz").read_bytes())
    index(
        stacks, [("train", "bert", "CT_1.nii.gz", "", "7"), ("val", "cora", "CT_1.nii.gz", "", "7")]
    )
    said = findings(stacks, capsys)
    assert f"{stacks / 'val/anna'}: is in train and in val; keep a patient in one" in said
    assert f"{stacks / 'val/cora'}: is in train and in val; keep a patient in one" in said
    assert f"CT_1.nii.gz: is the same as {stacks / 'train/bert/CT_1.nii.gz'} in train" in said
    assert "0 errors, 3 warnings" in said


def index(root, rows):
    with (root / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("split", "patient", "file", "blanked_slices", "aanlib_case"))
        writer.writerows(rows)


def test_slices_that_should_be_blanked_are_errors(stacks, capsys):
    index(stacks, [("train", "anna", "CT_1.nii.gz", "1 3", "new"),
                   ("train", "anna", "CT_9.nii.gz", "", "new")])  # fmt: skip
    said = findings(stacks, capsys, status=1)
    assert "CT_1.nii.gz: shows slice 1, which index.csv calls blanked, and 1 more" in said
    assert f"names {stacks / 'train/anna/CT_9.nii.gz'}, which is missing; add it" in said


def test_a_split_of_stacks_must_be_there_where_it_is_needed(stacks, capsys):
    (stacks / "val").rename(stacks / "validation")
    assert f"{stacks / 'val'}: holds no PATIENT/*.nii.gz; add some" in findings(
        stacks, capsys, status=1
    )
    require_usable(stacks, "train")
    with pytest.raises(InputError, match="val: holds no PATIENT"):
        require_usable(stacks, "val")


def tissues(seed=0, highest=21):
    values = np.random.default_rng(seed).integers(0, highest + 1, (8, 9, 10), dtype=np.uint8)
    return sitk.GetImageFromArray(values)


@pytest.fixture
def maps(tmp_path):
    for seed, name in enumerate(("head_01", "head_02", "head_15")):
        sitk.WriteImage(tissues(seed), str(tmp_path / f"{name}.nii.gz"))
    return tmp_path


def test_good_maps_pass(maps, capsys):
    said = findings(maps, capsys)
    assert "0 errors, 0 warnings" in said and "heads: 2 train, 1 val" in said


def test_every_error_of_a_map_is_one_line(maps, capsys):
    sitk.WriteImage(tissues(highest=200), str(maps / "head_01.nii.gz"))
    sitk.WriteImage(sitk.Cast(tissues(), sitk.sitkFloat32) * 0.7, str(maps / "head_02.nii.gz"))
    sitk.WriteImage(tissues() * 0, str(maps / "head_03.nii.gz"))
    sitk.WriteImage((tissues() == 0) * 17, str(maps / "head_04.nii.gz"))
    (maps / "head_15.nii.gz").write_text("text")
    said = findings(maps, capsys, status=1)
    assert "head_01.nii.gz: is no label map of tissues 0 to 21: it holds 22 and " in said
    assert "head_02.nii.gz: is no label map of tissues 0 to 21: it holds 0.7 and " in said
    assert "head_03.nii.gz: is empty (all background); remove it" in said
    assert "head_04.nii.gz: holds no brain (labels 2 to 13); remove it" in said
    assert "head_15.nii.gz: cannot be read as a volume; copy it anew" in said
    assert "5 errors, 0 warnings" in said


def test_odd_maps_are_warned_of(maps, capsys):
    coarse = tissues(5)
    coarse.SetSpacing((1, 1, 2))
    sitk.WriteImage(coarse, str(maps / "head_02.nii.gz"))
    (maps / "head_15.nii.gz").write_bytes((maps / "head_01.nii.gz").read_bytes())
    sitk.WriteImage(tissues(), str(maps / "atlas.nii.gz"))
    said = findings(maps, capsys)
    assert "head_02.nii.gz: has voxels of 1 x 1 x 2 mm; resample it to 1 mm" in said
    assert f"head_15.nii.gz: is the same as {maps / 'head_01.nii.gz'} in train" in said
    assert "atlas.nii.gz: is left out, with 0 more; name it head_NN.nii.gz" in said
    assert "0 errors, 3 warnings" in said


def test_maps_of_the_needed_split_must_be_there(maps):
    (maps / "head_15.nii.gz").unlink()
    require_usable(maps, "train")
    with pytest.raises(InputError, match="holds no map for val; head_15, head_16, head_17 are"):
        require_usable(maps, "val")


@pytest.mark.parametrize("name", ["stacks", "heads"])
def test_the_shared_data_pass(name, capsys):
    if not (SHARED / name).is_dir():
        pytest.skip(f"no {name} in {SHARED}")
    assert "0 errors" in findings(SHARED / name, capsys)
