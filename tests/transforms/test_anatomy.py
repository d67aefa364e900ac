"""Labels and landmarks follow the pictures of the phantom."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from bundle.phantom.canvas import Tissue
from bundle.phantom.pairs import write_pairs
from bundle.transforms.anatomy import LoadAnatomyd
from bundle.transforms.misalign import RandMisalignd
from bundle.transforms.stack import StackImaged


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder, 2, size=64, split="val")
    return folder


def test_labels_lie_where_the_pictures_show_them(folder):
    for path in (folder / "CT-MRI" / "val" / "labels").glob("*.png"):
        with Image.open(path) as labels, Image.open(path.parents[1] / "CT" / path.name) as ct:
            bone = np.asarray(labels) == Tissue.BONE
            assert np.asarray(ct)[bone].mean() > 1.5 * np.asarray(ct)[~bone].mean()


def test_landmarks_lie_inside_the_picture_and_scale_with_it(folder):
    found = 0
    for path in folder.glob("*/val/MRI/*.png"):
        whole, half = (LoadAnatomyd(size)({"fixed": str(path)}) for size in (64, 32))
        assert whole["labels"].shape == (1, 64, 64) and half["labels"].shape == (1, 32, 32)
        points = json.loads(
            (path.parents[1] / "labels" / f"{path.stem}.json").read_text(encoding="utf-8")
        )
        assert len(whole["landmarks"]) == len(points)
        if points:
            expected = torch.tensor(list(points.values()))
            torch.testing.assert_close(whole["landmarks"], expected.clamp(0, 63))
            inner = (whole["landmarks"] + 0.5) / 2 - 0.5
            torch.testing.assert_close(half["landmarks"], inner.clamp(0, 31))
        found += len(points)
    assert found > 3


def test_pairs_without_labels_stay_as_they_are(tmp_path):
    item = {"fixed": str(tmp_path / "MRI" / "1.png")}
    assert LoadAnatomyd(64)(item) == item


def test_labels_are_moved_like_the_picture(folder):
    size, random = (64, 64), RandMisalignd()
    random.set_random_state(3)
    labels = torch.zeros(1, *size)
    labels[:, 20:40, 24:44] = 1
    item = {"fixed": labels.clone(), "moving": labels.clone(), "labels": labels.clone()}
    ids = {"modality": "CT", "name": "1", "level": "large", "landmarks": torch.zeros(0, 2)}
    out = StackImaged()(random({**item, **ids}))
    assert torch.equal(out["labels"], labels)
    assert (out["deformed_labels"] - out["deformed"][:1]).abs().mean() < 0.03
    assert (out["deformed_labels"] - labels).abs().mean() > 0.03
