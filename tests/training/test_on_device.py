"""Pairs kept on the device."""

import pytest
import torch
from torch.utils.data import DataLoader

from bundle.training.on_device import OnDeviceDataset
from bundle.transforms.misalign import BatchMisalign


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def flat(value):
    return {"fixed": torch.full((1, 8, 8), value), "moving": torch.full((4, 8, 8), value)}


def dataset(items, transform, augmentation=None):
    augmentation = augmentation or [BatchMisalign(["small"])]
    return OnDeviceDataset(items, transform, augmentation, torch.device("cpu"), progress=False)


@pytest.fixture
def listed(tmp_path):
    """Two pictures, listed four times under three names."""
    names = []
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(b"")
        names.append(str(tmp_path / f"{name}.png"))
    link = tmp_path / "link.png"
    link.symlink_to(names[0])
    return [
        {"fixed": "mri.png", "modality": "PET", "moving": path}
        for path in (*names, names[1], str(link))
    ]


def test_pictures_listed_twice_are_read_once(listed):
    read = []

    def transform(item):
        read.append(item["moving"])
        return flat(0.25 if "a.png" in item["moving"] else 0.75)

    pairs = dataset(listed, transform)
    assert len(read) == 2 and len(pairs) == 4
    batch = pairs.batch(torch.tensor([0, 1, 2, 3, 1]), generator())
    values = batch["image"][:, 0, 4, 4]
    torch.testing.assert_close(values, torch.tensor([0.25, 0.75, 0.75, 0.25, 0.75]))
    assert batch["level"].tolist() == [1] * 5 and batch["modality_index"].tolist() == [1] * 5


def test_a_loader_gives_places(listed):
    pairs = dataset(listed, lambda _: flat(0.5))
    assert [pairs[index] for index in (0, 3, 4, 9)] == [0, 3, 0, 1]
    (places,) = DataLoader(pairs, batch_size=4)
    assert places.tolist() == [0, 1, 2, 3] and places.dtype == torch.long


def test_a_batch_depends_on_its_generator_and_its_pairs_only(listed):
    pairs = dataset(listed, lambda _: flat(0.5), [BatchMisalign(["large"], pose=9.0)])

    def ddf(seed=0, places=(0, 1)):
        return pairs.batch(torch.tensor(places), generator(seed))["ddf"]

    assert torch.equal(ddf(), ddf())
    assert not torch.equal(ddf(), ddf(1))
    assert not torch.equal(*ddf())


def test_the_image_is_the_fixed_picture_and_the_deformed_luminance(listed):
    batch = dataset(listed, lambda _: flat(0.5)).batch(torch.tensor([0, 1]), generator())
    assert torch.equal(batch["image"][:, :1], batch["fixed"])
    assert torch.equal(batch["image"][:, 1:], batch["deformed"][:, :1])


@pytest.mark.parametrize(
    ("common", "own", "values"),
    [
        ({"moving": "ct.png"}, "fixed", ("t1.png", "t2.png")),
        ({"kind": "stacks", "fixed": "t1.nii.gz", "moving": "ct.nii.gz"}, "slice", (3, 4)),
        ({"kind": "heads", "fixed": "h.nii.gz", "moving": "h.nii.gz"}, "position", (70, 80)),
        ({"kind": "heads", "fixed": "h.nii.gz", "moving": "h.nii.gz"}, "plane", ("axial", "x")),
        ({"kind": "heads", "fixed": "h.nii.gz", "moving": "h.nii.gz"}, "thickness", (1.0, 5.5)),
        ({"kind": "heads", "fixed": "h.nii.gz", "moving": "h.nii.gz"}, "painting", (0, 1)),
    ],
)
def test_pairs_that_share_files_keep_their_own_pictures(common, own, values):
    items = [{**common, own: value, "modality": "CT"} for value in values]
    pairs = dataset(
        items, lambda item: flat(0.25 + 0.5 * values.index(item[own])), [BatchMisalign(["aligned"])]
    )
    batch = pairs.batch(torch.tensor([0, 1]), generator())
    assert batch["fixed"][:, 0, 0, 0].tolist() == [0.25, 0.75]


def test_a_head_is_painted_for_each_modality():
    item = {"kind": "heads", "fixed": "h.nii.gz", "moving": "h.nii.gz", "position": 1}
    items = [{**item, "modality": modality} for modality in ("CT", "SPECT")]
    pairs = dataset(items, lambda item: flat(0.25 if item["modality"] == "CT" else 0.75))
    batch = pairs.batch(torch.tensor([0, 1]), generator())
    assert batch["modality_index"].tolist() == [0, 2] and len(pairs.pictures["fixed"]) == 2
