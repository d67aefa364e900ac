"""Training folders made from public pairs and from volumes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bundle.options import options_of
from bundle.phantom.pairs import write_volumes
from bundle.training.pairs import list_pairs
from bundle.training.slices import slice_pairs
from bundle.training.verify import verify_folder
from scripts import prepare_aanlib, prepare_volumes


@pytest.fixture
def public(tmp_path):
    """CT of cases 2 and 16, SPECT of 16 and 3, PET: one view of twelve slices."""
    random = np.random.default_rng(0)
    root = tmp_path / "public"
    stacks = {"CT": (2001, 2002, 16001), "SPECT": (3001, 16001), "PET": range(25001, 25013)}
    for modality, names in stacks.items():
        for name in names:
            for kind in ("MRI", modality):
                path = root / f"{modality}-MRI" / kind / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(random.integers(0, 255, (40, 40), dtype=np.uint8)).save(path)
    return root


def names(folder, split):
    return {(pair["modality"], pair["name"]) for pair in list_pairs(folder, split)}


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_public_pairs_are_split_by_patient(public, tmp_path, capsys, seed):
    out = tmp_path / "pairs"
    prepare_aanlib.main(["--source", str(public), "--output_dir", str(out), "--seed", seed])
    (found,) = verify_folder(out)  # the one subject of PET cannot be split otherwise
    assert not found.error and found.message.startswith("PET-MRI: case 25 is in train and in val")
    train, val = names(out, "train"), names(out, "val")
    cases = [{name[:-3] for modality, name in part if modality != "PET"} for part in (train, val)]
    assert not cases[0] & cases[1] and cases[1]
    pet = [sorted(int(n) for m, n in part if m == "PET") for part in (train, val)]
    assert pet[1] == [25006, 25007] and not set(pet[0]) & set(range(25004, 25010))
    assert "PET: 6 train, 2 val (cases 25)" in capsys.readouterr().out
    source = public / "PET-MRI" / "PET" / "25006.png"
    copied = out / "PET-MRI" / "val" / "PET" / "25006.png"
    assert copied.read_bytes() == source.read_bytes()


def test_a_picture_under_two_numbers_is_on_one_side(public, tmp_path):
    mri = public / "PET-MRI" / "MRI"
    shutil.copy(mri / "25006.png", mri / "25001.png")
    out = tmp_path / "pairs"
    prepare_aanlib.main(["--source", str(public), "--output_dir", str(out)])
    assert ("PET", "25001") not in names(out, "train") | names(out, "val")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda root: (root / "CT-MRI" / "CT" / "2001.png").unlink(), "2001.png has no partner"),
        (lambda root: (root / "CT-MRI" / "CT" / "2001.png").write_bytes(b"x"), "2001.png: cannot"),
        (lambda root: shutil.rmtree(root), "no pairs found"),
    ],
)
def test_a_bad_public_folder_is_one_line_and_nothing_is_written(public, tmp_path, harm, message):
    harm(public)
    out = tmp_path / "pairs"
    with pytest.raises(SystemExit, match=f"^error: [^\n]*{message}[^\n]*$"):
        prepare_aanlib.main(["--source", str(public), "--output_dir", str(out)])
    assert sorted(p.name for p in tmp_path.iterdir() if p != public) == []


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    root = tmp_path_factory.mktemp("heads")
    for seed, name in enumerate(("anna", "bert")):
        write_volumes(root / name, seed, shape=(40, 56, 12), spacing=(5.0, 4.0, 10.0))
    return root


def datalist(heads, path, *entries):
    testing = [
        {"id": name, "modality": modality, "fixed": str(heads / name[:4] / "mri_t1.nii.gz"),
         "moving": str(heads / name[:4] / f"{modality.lower()}.nii.gz")}
        for name, modality in entries
    ]  # fmt: skip
    path.write_text(json.dumps({"testing": testing}))
    return ["--datalist", str(path), "--output_dir", str(path.parent / "pairs"), "--size", "64"]


def test_volumes_become_slices_split_by_patient(heads, tmp_path):
    entries = [("anna__ct", "CT"), ("anna__pet", "PET"), ("bert__ct", "CT"), ("bert__pet", "PET")]
    prepare_volumes.main([*datalist(heads, tmp_path / "list.json", *entries), "--step", "20"])
    out = tmp_path / "pairs"
    assert not [finding for finding in verify_folder(out) if finding.error]
    train, val = list_pairs(out, "train"), list_pairs(out, "val")
    assert {pair["case"] for pair in train} != {pair["case"] for pair in val}
    assert (
        {pair["modality"] for pair in train} == {pair["modality"] for pair in val} == {"CT", "PET"}
    )
    slices = sorted(int(p["name"][-3:]) for p in train if p["modality"] == "CT")
    assert len(slices) >= 2 and set(np.diff(slices)) == {2}  # 20 mm at 10 mm a slice
    assert Path(train[0]["fixed"]).parent.name == "MRI"


def test_slices_have_square_pixels_and_the_window_of_ct(heads, tmp_path):
    words = datalist(heads, tmp_path / "list.json", ("anna", "CT"), ("bert", "CT"))
    prepare_volumes.main([*words, "--ct_window", "-1000", "2000"])
    picture = np.asarray(Image.open(list_pairs(tmp_path / "pairs", "train")[0]["moving"]))
    assert picture.shape == (64, 64)
    # 200 x 224 mm: seven eighths of the width hold the volume, air is black, bone not yet white
    assert (picture[:, :3] == 0).all() and (picture[:, -3:] == 0).all()
    assert 150 < picture.max() < 255 and abs(int(np.median(picture[picture > 60])) - 87) < 12


def test_two_volumes_of_one_patient_keep_all_their_slices(heads, tmp_path, capsys):
    entries = [("anna__1", "CT"), ("anna__2", "CT"), ("bert", "CT")]
    prepare_volumes.main([*datalist(heads, tmp_path / "list.json", *entries), "--step", "20"])
    counts = [int(n) for n in re.findall(r": (\d+) slices", capsys.readouterr().out)]
    pairs = [p for split in ("train", "val") for p in list_pairs(tmp_path / "pairs", split)]
    assert len(pairs) == sum(counts) and counts[0] == counts[1] > 0


def test_a_coronal_acquisition_is_cut_in_its_own_plane(tmp_path):
    shape, spacing = (84, 40, 84), (2.4, 6.0, 2.4)  # thick from front to back
    files = str(tmp_path / "mri_t1.nii.gz"), str(tmp_path / "ct.nii.gz")
    write_volumes(tmp_path, 0, shape=shape, spacing=spacing)
    own, other = (options_of(modality="CT", init="none", plane=name) for name in ("auto", "axial"))
    slices = list(slice_pairs(*files, own, size=64, step=6.0, least=0.3))
    axial = list(slice_pairs(*files, other, size=64, step=6.0, least=0.3))
    assert 10 < len(slices) <= 40 and slices[1][0] - slices[0][0] == 1
    for _, fixed, moving in (*slices, *axial):  # a head is about as wide as it is high or deep
        rows, columns = (fixed[0] > 25).any(1).sum(), (fixed[0] > 25).any(0).sum()
        assert fixed.shape == moving.shape == (1, 64, 64) and 0.6 < rows / columns < 1.7
    assert axial[1][0] - axial[0][0] == 2  # 6 mm at 2.4 mm a slice


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modality": None}, "has no modality"),
        ({"moving": "nowhere.nii.gz"}, "nowhere.nii.gz: "),
        ({"id": "bert"}, "entry 2 of 'testing' has the id of entry 1"),
    ],
)
def test_a_bad_list_is_one_line_and_nothing_is_written(heads, tmp_path, change, message):
    path = tmp_path / "list.json"
    words = datalist(heads, path, ("bert", "CT"), ("anna", "CT"))
    content = json.loads(path.read_text(encoding="utf-8"))
    content["testing"][1] |= change
    path.write_text(json.dumps(content))
    with pytest.raises(SystemExit, match=f"^error: [^\n]*{message}[^\n]*$"):
        prepare_volumes.main(words)
    assert [p.name for p in tmp_path.iterdir()] == ["list.json"]


def test_one_patient_is_too_few(heads, tmp_path):
    words = datalist(heads, tmp_path / "list.json", ("anna", "CT"))
    with pytest.raises(SystemExit, match="error: .*1 patient.*; add another"):
        prepare_volumes.main(words)


def test_pairs_that_training_does_not_take_are_refused(heads, tmp_path):
    words = datalist(heads, tmp_path / "list.json", ("anna__ct", "CT"))
    path = tmp_path / "list.json"
    path.write_text(path.read_text().replace('"CT"', '"MR"'))
    with pytest.raises(SystemExit, match="anna__ct is MR; training takes CT, PET, SPECT"):
        prepare_volumes.main(words)
    assert not (tmp_path / "pairs").exists()
