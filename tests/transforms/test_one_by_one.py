"""The augmentation that train.json has, for single items."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from bundle.domain import LEVELS
from bundle.transforms.contrast import BatchContrast
from bundle.transforms.misalign import BatchMisalign
from bundle.transforms.noise import BatchNoise
from bundle.transforms.one_by_one import OneByOned
from bundle.transforms.stack import StackImaged

CONFIG = json.loads((Path(__file__).parents[2] / "configs" / "train.json").read_text("utf-8"))
SIZE = 64


def augmentation(**changes):
    """As in train.json, every transform with these arguments."""
    listed = [part | changes for part in CONFIG["train"]["augmentation"]]
    return ConfigParser({"part": listed, "blend_prob": 0.3}).get_parsed_content("part")


@pytest.fixture
def item():
    values = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(values, (SIZE, SIZE), mode="bilinear")[:, 0]
    pictures = {"fixed": smooth[:1], "moving": MetaTensor(smooth[1:])}
    return {**pictures, "modality": "CT", "name": "1003"}


def applied(transforms, item, seed=0):
    return OneByOned(transforms).set_random_state(seed)(item)


def test_an_item_gets_what_its_seed_says(item):
    transforms = augmentation()
    first, again, other = (applied(transforms, item, seed) for seed in (1, 1, 2))
    for key in ("fixed", "aligned", "deformed", "ddf"):
        assert torch.equal(first[key], again[key]), key
    assert first["level"] == again["level"]
    assert not torch.equal(first["ddf"], other["ddf"])


def test_an_item_is_a_batch_of_one(item):
    transforms = [BatchContrast(1.0), BatchMisalign(["large"], pose=9.0)]
    found = applied(transforms, item, 4)
    random = torch.Generator().manual_seed(int(np.random.RandomState(4).randint(2**31)))
    batch = {key: torch.as_tensor(item[key])[None] for key in ("fixed", "moving")}
    batch["modality_index"] = torch.tensor([0])
    for transform in transforms:
        batch = transform(batch, random)
    for key in ("fixed", "moving", "aligned", "deformed", "ddf"):
        assert torch.equal(found[key], batch[key][0]), key


@pytest.mark.parametrize("level", LEVELS)
def test_the_level_is_named_and_other_entries_stay(item, level):
    found = applied([BatchMisalign([level])], item)
    assert (found["level"], found["name"], found["modality"]) == (level, "1003", "CT")
    assert "modality_index" not in found and found["ddf"].shape == (2, SIZE, SIZE)
    assert StackImaged()(found)["image"].shape == (2, SIZE, SIZE)


def test_the_kind_of_the_item_reaches_the_transforms(item):
    window = BatchContrast(0.0, activity_prob=0.0, window_prob=1.0, invert_prob=0.0)
    for modality, changed in (("CT", True), ("PET", False)):
        found = applied([window], {**item, "modality": modality})["moving"]
        assert torch.equal(found, torch.as_tensor(item["moving"])[:3]) != changed


def test_transforms_change_no_item_that_is_kept(item):
    before = {key: torch.as_tensor(item[key]).clone() for key in ("fixed", "moving")}
    applied(augmentation(), item)
    for key, value in before.items():
        assert torch.equal(torch.as_tensor(item[key]), value)


def test_fixed_and_moving_get_noise_of_their_own():
    """None that both pictures share, and not always on the same pairs."""
    noise = [one for one in augmentation() if isinstance(one, BatchNoise)]
    many = {"fixed": torch.zeros(2000, 1, 4, 4), "deformed": torch.zeros(2000, 3, 4, 4)}
    random = torch.Generator().manual_seed(0)
    for transform in noise:
        many = transform(many, random)
    noisy = [many[key].abs().amax(dim=(1, 2, 3)) > 0 for key in ("fixed", "deformed")]
    assert [float(one.float().mean()) for one in noisy] == pytest.approx([0.15, 0.15], abs=0.03)
    assert float((noisy[0] & noisy[1]).float().mean()) == pytest.approx(0.15**2, abs=0.015)
    many = {"fixed": torch.zeros(1, 1, 64, 64), "deformed": torch.zeros(1, 3, 64, 64)}
    for transform in noise:
        transform.prob = 1.0
        many = transform(many, random)
    fixed, deformed = (many[key][0, 0].flatten().numpy() for key in ("fixed", "deformed"))
    assert fixed.std() > 0 and deformed.std() > 0
    assert abs(np.corrcoef(fixed, deformed)[0, 1]) < 0.1
