"""The search and Adam give what the package gives."""

import warnings

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

from bundle.registration.convex_adam import FINE, STEPS, convex_adam, package


def test_it_finds_what_the_package_finds():
    """Where everything counts; it takes n - 1 voxels for n, and zeros beyond the border."""
    rng = np.random.default_rng(0)
    fixed = gaussian_filter(rng.standard_normal((66, 60, 54)), 2.0).astype(np.float32)
    bent = np.indices(fixed.shape) + np.reshape([1.5, -2.0, 1.0], (3, 1, 1, 1))
    bent[1] += 1.5 * np.sin(2 * np.pi * np.arange(66) / 66)[:, None, None]
    moving = 1 - map_coordinates(fixed, bent, order=1, mode="nearest")
    found = convex_adam(fixed, moving, np.ones(fixed.shape, bool))
    with package():
        from convexAdam.convex_adam_MIND import convex_adam_pt

        theirs = convex_adam_pt(
            fixed, moving, selected_niter=STEPS, dtype=torch.float32, device=torch.device("cpu")
        )
    cells = np.array(fixed.shape) // FINE
    apart = np.linalg.norm(np.moveaxis(found, 0, -1) - theirs * cells / (cells - 1), axis=-1)
    inner = (slice(16, -16),) * 3
    assert apart[inner].mean() < 0.12 * np.linalg.norm(found, axis=0)[inner].mean()


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


def test_it_works_in_inference_mode():
    image = gaussian_filter(np.random.default_rng(2).standard_normal((24, 18, 18)), 2.0)
    where = np.ones(image.shape, bool)
    with torch.inference_mode():
        found = convex_adam(image.astype(np.float32), image.astype(np.float32), where)
    assert np.abs(found).max() < 0.5


def test_warnings_and_gradients_are_as_before():
    before = list(warnings.filters)
    with torch.no_grad():
        with package():
            assert torch.is_grad_enabled()
        assert not torch.is_grad_enabled()
    assert warnings.filters == before
