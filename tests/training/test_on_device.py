"""Pairs kept on the device."""

import torch

from bundle.training.on_device import OnDeviceDataset
from bundle.transforms.misalign import BatchMisalign


def dataset(tmp_path, read, repeat=1, seed=0):
    names = []
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(b"")
        names.append(str(tmp_path / f"{name}.png"))
    link = tmp_path / "link.png"
    if not link.exists():
        link.symlink_to(names[0])
    listed = [*names, names[1], str(link)]

    def transform(item):
        read.append(item["moving"])
        value = 0.25 if "a.png" in item["moving"] else 0.75
        return {"fixed": torch.full((1, 8, 8), value), "moving": torch.full((4, 8, 8), value)}

    kind = {"fixed": "mri.png", "modality": "PET"}
    items = [{**kind, "moving": path, "name": path[-5]} for path in listed]
    return OnDeviceDataset(
        items, transform, [BatchMisalign(["small"])], torch.device("cpu"), seed, repeat, False
    )


def test_pictures_listed_twice_are_read_once(tmp_path):
    read = []
    pairs = dataset(tmp_path, read, repeat=3)
    assert len(read) == 2 and len(pairs) == 12
    batch = pairs.__getitems__([0, 1, 2, 3, 5])
    values = batch["image"][:, 0, 4, 4]
    torch.testing.assert_close(values, torch.tensor([0.25, 0.75, 0.75, 0.25, 0.75]))
    assert batch["name"] == ["a", "b", "b", "k", "b"]
    assert batch["level"] == ["small"] * 5 and batch["kind"].tolist() == [1] * 5


def test_a_batch_depends_on_seed_epoch_and_indices_only(tmp_path):
    def batch(seed=0, epoch=1, indices=(0, 1)):
        pairs = dataset(tmp_path, [], seed=seed)
        pairs.batch_transforms = [BatchMisalign(["large"], pose=9.0)]
        pairs.set_epoch(epoch)
        return pairs.__getitems__(list(indices))["ddf"]

    assert torch.equal(batch(), batch())
    for other in (batch(seed=1), batch(epoch=2), batch(indices=(0, 2))):
        assert not torch.equal(batch(), other)


def test_pairs_that_share_a_moving_picture_keep_their_fixed_ones():
    def transform(item):
        value = 0.25 if item["fixed"] == "t1.png" else 0.75
        return {"fixed": torch.full((1, 8, 8), value), "moving": torch.full((4, 8, 8), 0.5)}

    items = [
        {"fixed": name, "moving": "ct.png", "modality": "CT", "name": name}
        for name in ("t1.png", "t2.png")
    ]
    pairs = OnDeviceDataset(
        items, transform, [BatchMisalign(["aligned"])], torch.device("cpu"), progress=False
    )
    assert pairs.__getitems__([0, 1])["fixed"][:, 0, 0, 0].tolist() == [0.25, 0.75]
