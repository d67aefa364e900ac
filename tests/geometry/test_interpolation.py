"""Interpolation as a matrix, against torch's own."""

import torch
from torch.nn import functional

from bundle.geometry.interpolation import interpolation


def test_it_is_linear_interpolation_between_middles():
    weights = interpolation(torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]), 2)
    expected = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.0, 1.0]])
    torch.testing.assert_close(weights, expected)


def test_it_agrees_with_an_independent_implementation():
    values = torch.rand(1, 1, 7, 5, generator=torch.Generator().manual_seed(0))
    rows, columns = (
        interpolation((torch.arange(n) + 0.5) / n, count) for n, count in ((30, 7), (21, 5))
    )
    expected = functional.interpolate(values, (30, 21), mode="bilinear", align_corners=False)
    torch.testing.assert_close(rows @ values @ columns.T, expected)
