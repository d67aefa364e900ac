"""Cutting the moving picture along a line."""

import torch

from bundle.transforms.cut import RandCutd


def cut(prob, reach, seed=0):
    transform = RandCutd(prob, reach)
    transform.set_random_state(seed)
    pictures = {"moving": torch.ones(3, 40, 60), "fixed": torch.ones(1, 40, 60)}
    return transform({**pictures, "modality": "CT"})


def test_a_line_through_the_middle_leaves_one_half():
    for seed in range(5):
        item = cut(1.0, 0.0, seed)
        kept = item["moving"][0]
        assert set(kept.unique().tolist()) == {0.0, 1.0}
        assert 0.45 < kept.mean() < 0.55
        torch.testing.assert_close(kept.flip(0, 1), 1 - kept)  # the other half is its mirror
        assert (item["fixed"] == 1).all()


def test_all_channels_are_cut_alike_and_most_pictures_stay():
    item = cut(1.0, 0.4, seed=3)
    torch.testing.assert_close(item["moving"][0], item["moving"][2])
    assert (cut(0.0, 0.4)["moving"] == 1).all()
