"""Pair lists and seeded data sets."""

import numpy as np
import pytest
from monai.transforms import Compose, Randomizable, Transform
from PIL import Image

from bundle.errors import InputError
from bundle.training.dataset import SeededDataset
from bundle.training.pairs import list_pairs, with_levels


@pytest.fixture
def folder(tmp_path):
    for kind in ("MRI", "PET"):
        place = tmp_path / "PET-MRI" / "train" / kind
        place.mkdir(parents=True)
        for name in ("1003.png", "1004.png", "25001.png"):
            Image.new("L", (8, 8)).save(place / name)
    return tmp_path


def test_pairs_are_listed_with_case_and_modality(folder):
    pairs = list_pairs(folder, "train")
    assert [pair["name"] for pair in pairs] == ["1003", "1004", "25001"]
    assert [pair["case"] for pair in pairs] == ["1", "1", "25"]
    assert {pair["modality"] for pair in pairs} == {"PET"}
    assert len(list_pairs(folder, "train", stride=2)) == 2


def test_a_missing_partner_is_named(folder):
    (folder / "PET-MRI" / "train" / "PET" / "1004.png").unlink()
    with pytest.raises(InputError, match=r"1004\.png has no partner"):
        list_pairs(folder, "train")


def test_an_empty_folder_says_what_it_should_hold(tmp_path):
    with pytest.raises(InputError, match="CT-MRI/val"):
        list_pairs(tmp_path, "val")


def test_levels_multiply_the_pairs(folder):
    items = with_levels(list_pairs(folder, "train"), stride=2)
    assert [item["level"] for item in items] == [
        level for level in ("aligned", "small", "medium", "large") for _ in range(2)
    ]


class Draw(Randomizable, Transform):
    def __call__(self, data):
        return {**data, "value": self.R.randint(1_000_000)}


def test_random_numbers_depend_on_seed_epoch_and_item():
    def values(seed, epoch):
        dataset = SeededDataset([{}] * 3, Compose([Draw()]), seed=seed, progress=False)
        dataset.set_epoch(epoch)
        order = np.random.default_rng(epoch).permutation(3)
        found = {int(i): dataset[int(i)]["value"] for i in order}
        return [found[i] for i in range(3)]

    assert values(0, 1) == values(0, 1)
    assert len({*values(0, 1), *values(0, 2), *values(1, 1)}) == 9


def test_indices_beyond_the_last_name_the_same_items_and_draw_anew():
    dataset = SeededDataset([{"a": 0}, {"a": 1}], Compose([Draw()]), progress=False)
    items = [dataset[index] for index in range(8)]
    assert len(dataset) == 2 and [item["index"] for item in items] == [0, 1] * 4
    assert [item["a"] for item in items] == [0, 1] * 4
    assert len({item["value"] for item in items}) == 8
