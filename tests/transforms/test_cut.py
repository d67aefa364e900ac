"""Cutting the moving picture along a line."""

import torch

from bundle.transforms.cut import BatchCut


def cut(prob, reach, seed=0):
    pictures = {"moving": torch.ones(6, 3, 40, 60), "fixed": torch.ones(6, 1, 40, 60)}
    return BatchCut(prob, reach)(pictures, torch.Generator().manual_seed(seed))


def test_a_line_through_the_middle_leaves_one_half():
    batch = cut(1.0, 0.0)
    for picture in batch["moving"]:
        kept = picture[0]
        assert set(kept.unique().tolist()) == {0.0, 1.0}
        assert 0.45 < kept.mean() < 0.55
        torch.testing.assert_close(kept.flip(0, 1), 1 - kept)  # the other half is its mirror
    assert (batch["fixed"] == 1).all()


def test_all_channels_are_cut_alike_and_most_pictures_stay():
    batch = cut(1.0, 0.4, seed=3)
    torch.testing.assert_close(batch["moving"][:, 0], batch["moving"][:, 2])
    assert (cut(0.0, 0.4)["moving"] == 1).all()
