import pytest
import torch

from bundle.metrics.displacement import displacement


def test_mean_length_inside_the_head_only():
    fixed = torch.zeros(2, 1, 40, 40)
    fixed[:, :, :, :20] = 255
    ddf = torch.zeros(2, 2, 40, 40)
    ddf[0, 0], ddf[0, 1] = 3, 4
    ddf[1, 0, :, 30:] = 50  # background
    values = displacement(ddf, fixed)["displacement"]
    assert values.tolist() == [pytest.approx(5), 0]


def test_black_fixed_is_undefined():
    values = displacement(torch.ones(1, 2, 40, 40), torch.zeros(1, 1, 40, 40))
    assert values["displacement"].isnan().item()
