"""Lists of pairs."""

from collections import Counter

import pytest

from bundle.data.pairs import training_pairs
from bundle.errors import InputError
from bundle.phantom import write_pairs


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
    for times in (-1, 1.5, "many"):
        with pytest.raises(
            InputError, match=f"^repeats#CT {times}: give a whole number, 0 or more$"
        ):
            training_pairs(tmp_path, "train", repeats={"CT": times})
