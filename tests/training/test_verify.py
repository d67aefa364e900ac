"""Findings about folders of picture pairs, good and bad ones."""

import numpy as np
import pytest
from PIL import Image

from bundle.errors import InputError
from bundle.training.pairs import training_pairs
from scripts.verify_data import main


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    for split, names in (("train", ("1001", "1002")), ("val", ("2001",))):
        for kind in ("MRI", "CT"):
            place = tmp_path / "CT-MRI" / split / kind
            place.mkdir(parents=True)
            for name in names:
                values = random.integers(0, 255, (40, 40), dtype=np.uint8)
                Image.fromarray(values).save(place / f"{name}.png")
    return tmp_path


def findings(folder, capsys, status=None):
    if status is None:
        main([str(folder)])
    else:
        with pytest.raises(SystemExit) as stop:
            main([str(folder)])
        assert stop.value.code == status
    return capsys.readouterr().out


def test_a_good_folder_passes(folder, capsys):
    said = findings(folder, capsys)
    assert "0 errors, 0 warnings" in said
    assert "CT: 2 train, 1 val" in said


def test_every_error_is_named(folder, capsys):
    train = folder / "CT-MRI" / "train"
    (train / "CT" / "1001.png").unlink()
    (train / "CT" / "1002.png").write_text("text")
    Image.new("L", (50, 40)).save(folder / "CT-MRI" / "val" / "CT" / "2001.png")
    said = findings(folder, capsys, status=1)
    assert "1001.png: has no partner" in said
    assert "1002.png: cannot be read as a picture" in said
    assert "2001.png: differs in size from its MRI (40 x 40 and 50 x 40 pixels)" in said
    assert "warning: " in said and "the same value everywhere" in said
    assert "3 errors, 1 warnings" in said


def test_training_stops_at_once_on_the_first_error(folder):
    assert len(training_pairs(folder, "train")) == 2
    (folder / "CT-MRI" / "val" / "CT" / "2001.png").write_text("text")
    with pytest.raises(InputError, match=r"2001\.png: cannot be read as a picture"):
        training_pairs(folder, "train")


def test_a_pair_in_both_splits_is_a_warning(folder, capsys):
    for kind in ("MRI", "CT"):
        place = folder / "CT-MRI"
        (place / "val" / kind / "1001.png").write_bytes(
            (place / "train" / kind / "1001.png").read_bytes()
        )
    assert "warning: CT-MRI: 1001.png is in train and in val" in findings(folder, capsys)


def test_an_unknown_layout_is_an_error(tmp_path, capsys):
    assert "unknown layout" in findings(tmp_path, capsys, status=1)
    assert "no such folder" in findings(tmp_path / "none", capsys, status=1)


def test_a_folder_or_a_link_to_nothing_in_a_pictures_place_is_named(folder, capsys):
    val = folder / "CT-MRI" / "val"
    (val / "MRI" / "2001.png").unlink()
    (val / "MRI" / "2001.png").mkdir()
    (val / "CT" / "2001.png").unlink()
    (val / "CT" / "2001.png").symlink_to(folder / "nowhere.png")
    (folder / "CT-MRI" / "train" / "MRI" / "1003.png").mkdir()
    said = findings(folder, capsys, status=1)
    assert "MRI/2001.png: cannot be read, it is a folder" in said
    assert "CT/2001.png: cannot be read, it is a folder or a link to nothing; remove it" in said
    assert "1003.png: has no partner" in said
    assert "3 errors, 0 warnings" in said


def test_what_the_system_refuses_is_one_line(folder, monkeypatch):
    def refused(*_):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("scripts.verify_data.verify_folder", refused)
    with pytest.raises(SystemExit, match="^error: .*: Permission denied; check the path"):
        main([str(folder)])


def picture(path, seed=5, shape=(40, 40)):
    values = np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)
    Image.fromarray(values).save(path)


def add(folder, name, suffix="png", shape=(40, 40)):
    for number, kind in enumerate(("MRI", "CT")):
        picture(folder / kind / f"{name}.{suffix}", 7 + number, shape)


def test_pairs_that_are_not_square_are_warned_of(folder, capsys):
    for name in ("1003", "1004"):
        add(folder / "CT-MRI" / "train", name, shape=(40, 48))
    said = findings(folder, capsys)
    assert "0 errors, 1 warnings" in said
    assert "CT-MRI/train: 2 pairs are not square, such as 1003.png: training and evaluation" in said


def test_a_patient_or_a_picture_on_both_sides_is_warned_of(folder, capsys):
    add(folder / "CT-MRI" / "val", "1009")
    copy = folder / "CT-MRI" / "train"
    for kind in ("MRI", "CT"):
        (copy / kind / "3001.png").write_bytes(
            (folder / "CT-MRI" / "val" / kind / "2001.png").read_bytes()
        )
    said = findings(folder, capsys)
    assert "0 errors, 2 warnings" in said
    assert "case 1 is in train and in val; keep a patient in one" in said
    assert "2001.png: is the same picture as 3001.png in train" in said


def test_pictures_left_out_and_names_without_a_patient_are_warned_of(folder, capsys):
    add(folder / "CT-MRI" / "train", "1003", "jpg")
    add(folder / "CT-MRI" / "train", "1004", "PNG")
    add(folder / "CT-MRI" / "train", "anna_7")
    said = findings(folder, capsys)
    assert "is left out, with 3 more; only NAME.png counts" in said
    assert "anna_7.png: cannot tell the patient, nor can 0 more names" in said
    assert "0 errors, 2 warnings" in said


def test_a_split_that_no_modality_has_is_an_error_where_it_is_needed(folder, capsys):
    (folder / "CT-MRI" / "train").rename(folder / "CT-MRI" / "training")
    said = findings(folder, capsys, status=1)
    assert "CT-MRI/train: missing, as in every modality; add pairs there" in said
    assert len(training_pairs(folder, "val")) == 1
    with pytest.raises(InputError, match="CT-MRI/train: missing"):
        training_pairs(folder, "train")


def test_an_unknown_modality_is_not_repeated(folder):
    with pytest.raises(InputError, match="repeats: 'MR' is none of CT, PET, SPECT"):
        training_pairs(folder, "train", repeats={"MR": 2})
