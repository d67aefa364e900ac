"""Features of two volumes, and how alike they are."""

from __future__ import annotations

import torch

from bundle.networks.cell_features import OFFSETS, CellFeatures, neighbour_correlation


def one_hot(shape, generator):
    """Random features of unit length, each one of six directions."""
    chosen = torch.randint(6, shape, generator=generator)
    return torch.nn.functional.one_hot(chosen, 6).movedim(-1, 1).float()


def test_a_shifted_volume_is_alike_where_it_was_shifted_to():
    random = torch.Generator().manual_seed(0)
    moving = one_hot((1, 5, 6, 7), random)
    for place, offset in enumerate(OFFSETS):
        steps = [n - 1 for n in offset]
        fixed = moving.roll([-n for n in steps], dims=(2, 3, 4))  # fixed(x) = moving(x + steps)
        alike = neighbour_correlation(fixed, moving)
        assert alike.shape == (1, 7, 5, 6, 7)
        inside = alike[0, :, 1:-1, 1:-1, 1:-1]
        assert (inside[place] == 1).all()
        assert sum((one == 1).all() for one in inside) == 1


def test_beyond_the_border_the_outermost_cells_go_on():
    features = one_hot((1, 3, 3, 3), torch.Generator().manual_seed(1))
    before = neighbour_correlation(features, features)[0, 1]
    torch.testing.assert_close(before[0], torch.ones(3, 3))


def test_features_have_unit_length_in_single_precision():
    cells = torch.rand(2, 8, 4, 5, 6)
    with torch.autocast("cpu", torch.bfloat16):
        found = CellFeatures(8)(cells)
    assert found.dtype == torch.float32 and found.shape == (2, 16, 4, 5, 6)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2, 4, 5, 6))
