"""The functions that replace torch's give what it gives, gradients included."""

import pytest
import torch
from torch.nn import functional

from bundle.registration.convex_adam import Functions


def test_means_and_gradients_are_those_of_torch():
    values = torch.rand(2, 3, 7, 4, 9, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(2, 3, 7, 4, 9, dtype=torch.float64)
    found = []
    for module in (Functions(), functional):
        means = module.avg_pool3d(values, 3, stride=1, padding=1)
        found.append((means, *torch.autograd.grad((means * weights).sum(), values)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_means_without_a_border_are_those_of_torch():
    values = torch.rand(2, 3, 7, 4, 9, dtype=torch.float64)
    found, expected = (part.avg_pool3d(values, 3, stride=1) for part in (Functions(), functional))
    torch.testing.assert_close(found, expected)


def test_the_values_stay_and_other_functions_are_torch_s():
    values = torch.rand(1, 1, 6, 6, 6)
    before = values.clone()
    Functions().avg_pool3d(values, 3, stride=1, padding=1)
    assert torch.equal(values, before)
    for sizes in ({"stride": 2}, {"stride": 1}, {"stride": 1, "padding": 2}):
        kernel = 5 if sizes.get("padding") else 2
        expected = functional.avg_pool3d(values, kernel, **sizes)
        assert torch.equal(Functions().avg_pool3d(values, kernel, **sizes), expected)
    assert Functions().interpolate is functional.interpolate


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("values_of_kernels", [(1.0,), (0.5,), (1.0, 1.0)])
def test_shifts_and_other_convolutions_are_those_of_torch(dilation, values_of_kernels, monkeypatch):
    volume, kernels = torch.rand(1, 1, 9, 8, 7), torch.zeros(4, 1, 3, 3, 3)
    for kernel, (place, other) in enumerate([(0, 3), (13, 4), (26, 5), (11, 6)]):
        for one, value in zip((place, other), values_of_kernels, strict=False):
            kernels[kernel].view(-1)[one] = value
    expected, convolved = functional.conv3d(volume, kernels, dilation=dilation), []

    def conv3d(*args, **options):
        convolved.append(options)
        return expected

    monkeypatch.setattr(functional, "conv3d", conv3d)
    found = Functions().conv3d(volume, kernels, dilation=dilation)
    torch.testing.assert_close(found, expected)
    assert len(convolved) == (values_of_kernels != (1.0,))  # shifts need none


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", [(6, 4, 8), (7, 5, 3)])
def test_samples_and_gradients_are_those_of_torch_on_any_number_of_threads(threads, shape):
    volume = torch.rand(1, 5, 6, 7, 8)
    grid = (2.4 * torch.rand(1, *shape, 3) - 1.2).requires_grad_()
    weights, before, found = torch.rand(1, 5, *shape), torch.get_num_threads(), []
    try:
        torch.set_num_threads(threads)
        for module in (Functions(), functional):
            sampled = module.grid_sample(volume, grid, mode="bilinear", align_corners=False)
            found.append((sampled, *torch.autograd.grad((sampled * weights).sum(), grid)))
    finally:
        torch.set_num_threads(before)
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
