"""The search on faster functions, and Adam, give what the package gives."""

import warnings

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from torch.nn import functional

from bundle.registration.convex_adam import FINE, Functions, convex_adam, package
from bundle.registration.instance_optimisation import STEPS


@pytest.mark.parametrize("padding", [0, 1])
def test_means_are_those_of_torch(padding):
    values = torch.rand(2, 3, 7, 4, 9, dtype=torch.float64)
    found, expected = (
        part.avg_pool3d(values, 3, stride=1, padding=padding) for part in (Functions(), functional)
    )
    torch.testing.assert_close(found, expected)


def test_means_of_values_that_need_gradients_have_them():
    values = torch.rand(1, 1, 4, 4, 4, requires_grad=True)
    Functions().avg_pool3d(values, 3, stride=1, padding=1).sum().backward()
    assert values.grad is not None


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


def test_it_finds_what_the_package_finds():
    """Where everything counts; it takes n - 1 voxels for n, and zeros beyond the border."""
    rng = np.random.default_rng(0)
    fixed = gaussian_filter(rng.standard_normal((48, 42, 36)), 2.0).astype(np.float32)
    bent = np.indices(fixed.shape) + np.reshape([1.5, -2.0, 1.0], (3, 1, 1, 1))
    bent[1] += 1.5 * np.sin(2 * np.pi * np.arange(48) / 48)[:, None, None]
    moving = 1 - map_coordinates(fixed, bent, order=1, mode="nearest")
    found = convex_adam(fixed, moving, np.ones(fixed.shape, bool))
    with package():
        from convexAdam.convex_adam_MIND import convex_adam_pt

        theirs = convex_adam_pt(
            fixed, moving, selected_niter=STEPS, dtype=torch.float32, device=torch.device("cpu")
        )
    cells = np.array(fixed.shape) // FINE
    apart = np.linalg.norm(np.moveaxis(found, 0, -1) - theirs * cells / (cells - 1), axis=-1)
    inner = (slice(8, -8),) * 3
    assert apart[inner].mean() < 0.06 * np.linalg.norm(found, axis=0)[inner].mean()


def test_what_does_not_count_does_not_draw_the_field():
    rng = np.random.default_rng(1)
    fixed = gaussian_filter(rng.standard_normal((36, 36, 36)), 2.0).astype(np.float32)
    moving = np.roll(fixed, 2, axis=1)
    moving[18:] = np.roll(fixed, -2, axis=1)[18:]
    upper = np.zeros(fixed.shape, bool)
    upper[:12] = True
    found, whole = (
        convex_adam(fixed, moving, where)[1, 4:12, 8:-8, 8:-8].mean()
        for where in (upper, np.ones_like(upper))
    )
    assert 0 < whole < found and found == pytest.approx(2.0, abs=0.4)


def test_warnings_and_gradients_are_as_before():
    before = list(warnings.filters)
    with torch.no_grad():
        with package():
            assert torch.is_grad_enabled()
        assert not torch.is_grad_enabled()
    assert warnings.filters == before
