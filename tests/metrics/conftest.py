"""Synthetic 8-bit pictures for the tests of the measures."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter


def _as_image(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(array, dtype=np.float64))[None, None]


@pytest.fixture
def as_image() -> Callable[..., torch.Tensor]:
    """Array (H, W) to float64 tensor (1, 1, H, W)."""
    return _as_image


@pytest.fixture
def texture() -> Callable[..., torch.Tensor]:
    """Smooth random picture (1, 1, H, W) by seed: integer grey levels that fill 0 to 255."""

    def make(seed: int, size: tuple[int, int] = (64, 64), sigma: float = 2.0) -> torch.Tensor:
        noise = gaussian_filter(np.random.default_rng(seed).standard_normal(size), sigma)
        return _as_image(np.rint((noise - noise.min()) / np.ptp(noise) * 255))

    return make


@pytest.fixture
def blur() -> Callable[..., torch.Tensor]:
    """Gaussian blur of a picture, rounded to 8 bit."""

    def apply(image: torch.Tensor, sigma: float) -> torch.Tensor:
        return _as_image(np.rint(gaussian_filter(image[0, 0].numpy(), sigma)))

    return apply


@pytest.fixture
def add_noise() -> Callable[..., torch.Tensor]:
    """White noise of a fixed seed added to a picture, rounded and clipped to 8 bit."""

    def apply(image: torch.Tensor, sigma: float) -> torch.Tensor:
        noise = np.random.default_rng(99).standard_normal(tuple(image.shape)) * sigma
        return (image + torch.from_numpy(noise)).round().clamp(0, 255)

    return apply
