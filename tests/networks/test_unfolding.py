"""Folds are smoothed away; everything else stays as it is."""

import torch

from bundle.geometry.jacobian import cell_determinant
from bundle.networks.unfolding import without_folds


def test_a_field_without_folds_is_left_alone():
    torch.manual_seed(0)
    ddf = 0.05 * torch.randn(2, 2, 16, 16)
    assert torch.equal(without_folds(ddf), ddf)


def test_a_fold_is_smoothed_away_and_only_around_it():
    ddf = torch.zeros(1, 2, 32, 32)
    ddf[:, 0, 8, 8] = 2.5
    assert (cell_determinant(ddf) < 0).any()
    smoothed = without_folds(ddf)
    assert (cell_determinant(smoothed) > 0).all()
    assert smoothed[:, :, 20:].abs().max() == 0
    assert smoothed[0, 0, 8, 8] > 0.3


def test_torchscript_does_the_same():
    ddf = torch.zeros(1, 2, 32, 32)
    ddf[:, 1, 8, 8] = 2.5
    assert torch.equal(torch.jit.script(without_folds)(ddf), without_folds(ddf))
