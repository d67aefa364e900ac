"""Lists of pairs."""

from collections import Counter

import pytest

import bundle.training.pairs as pairs
from bundle.errors import InputError
from bundle.phantom.pairs import write_pairs
from bundle.training.pairs import phantom_folder, training_pairs


def test_modalities_are_listed_as_often_as_asked(tmp_path):
    write_pairs(tmp_path, 2, size=64, split="train")
    once = training_pairs(tmp_path, "train")
    assert Counter(pair["modality"] for pair in once) == {"CT": 2, "PET": 2, "SPECT": 2}
    more = training_pairs(tmp_path, "train", repeats={"CT": 3, "PET": 0})
    assert Counter(pair["modality"] for pair in more) == {"CT": 6, "SPECT": 2}
    assert (
        Counter(pair["fixed"] for pair in more if pair["modality"] == "CT").most_common()[-1][1]
        == 3
    )
    with pytest.raises(InputError, match="leaves no pair"):
        training_pairs(tmp_path, "train", repeats={"CT": 0, "PET": 0, "SPECT": 0})
    with pytest.raises(InputError, match="--repeats 3: name a modality, such as --repeats#CT 3"):
        training_pairs(tmp_path, "train", repeats=3)
    for times in (-1, 1.5, "many"):
        with pytest.raises(
            InputError, match=f"^repeats#CT {times}: give a whole number, 0 or more$"
        ):
            training_pairs(tmp_path, "train", repeats={"CT": times})


def few(root, count, split):
    write_pairs(root, 1, size=64, split=split)


def test_the_phantom_can_be_read_by_others(tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "write_pairs", few)
    folder = phantom_folder(tmp_path / "out" / "phantom")
    assert folder.stat().st_mode & 0o777 == 0o755
    assert len(training_pairs(folder, "val")) == 3


def test_a_phantom_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def fail(root, *_, **__):
        (root / "half").write_text("")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pairs, "write_pairs", fail)
    with pytest.raises(InputError, match=r"phantom: cannot be written \(No space left"):
        phantom_folder(tmp_path / "phantom")
    assert not [*tmp_path.iterdir()]


def test_of_two_processes_that_make_the_phantom_the_faster_wins(tmp_path, monkeypatch):
    def slow(root, *_, **__):
        (root / "mine").write_text("")
        (tmp_path / "phantom").mkdir(exist_ok=True)
        (tmp_path / "phantom" / "other").write_text("")

    monkeypatch.setattr(pairs, "write_pairs", slow)
    folder = phantom_folder(tmp_path / "phantom")
    assert [path.name for path in folder.iterdir()] == ["other"]
    assert [*tmp_path.iterdir()] == [folder]
