import pytest
import torch

from bundle.metrics.anatomy import Anatomy, anatomy_measures


def moved_square() -> tuple[torch.Tensor, Anatomy]:
    """A square of 8 x 8 that the moving image shows 4 rows lower, and one landmark."""
    fixed, deformed = torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)
    fixed[..., 8:16, 8:16], deformed[..., 12:20, 8:16] = 3, 3
    true_ddf = torch.zeros(1, 2, 32, 32)
    true_ddf[:, 0] = 4
    return true_ddf, Anatomy(fixed, deformed, torch.tensor([[10.0, 10.0]]))


def test_exact_values_with_and_without_the_true_field():
    true_ddf, anatomy = moved_square()
    assert anatomy_measures(true_ddf, true_ddf, anatomy) == {"Dice": 1.0, "TRE": 0.0}
    nothing = anatomy_measures(torch.zeros_like(true_ddf), true_ddf, anatomy)
    assert nothing == {"Dice": pytest.approx(0.5), "TRE": pytest.approx(4.0)}


def test_without_landmarks_there_is_no_tre():
    true_ddf, anatomy = moved_square()
    empty = Anatomy(anatomy.fixed, anatomy.deformed, torch.zeros(0, 2))
    assert list(anatomy_measures(true_ddf, true_ddf, empty)) == ["Dice"]
