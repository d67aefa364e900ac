"""Folds are smoothed away; everything else stays as it is."""

import torch

from bundle.networks.unfolding import jacobian_determinant, without_folds


def test_determinant_of_affine_maps():
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
    scaled = torch.stack([0.5 * rows, 0.2 * columns + 0.3 * rows])[None]
    torch.testing.assert_close(
        jacobian_determinant(scaled)[:, :-1, :-1], torch.full((1, 5, 7), 1.5 * 1.2)
    )


def test_a_field_without_folds_is_left_alone():
    torch.manual_seed(0)
    ddf = 0.05 * torch.randn(2, 2, 16, 16)
    assert torch.equal(without_folds(ddf), ddf)


def test_a_fold_is_smoothed_away_and_only_around_it():
    ddf = torch.zeros(1, 2, 32, 32)
    ddf[:, 0, 8, 8] = 2.5
    assert (jacobian_determinant(ddf) < 0).any()
    smoothed = without_folds(ddf)
    assert (jacobian_determinant(smoothed) > 0).all()
    assert smoothed[:, :, 20:].abs().max() == 0
    assert smoothed[0, 0, 8, 8] > 0.3
