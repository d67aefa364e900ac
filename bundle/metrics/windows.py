"""Separable window averages, shared by VIF, VIFF, MEF-SSIM and the loss on information."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import torch


def gaussian_window(size: int, sigma: float) -> np.ndarray:
    """One axis of a normalised Gaussian window.

    Args:
        size: number of taps, odd.
        sigma: standard deviation in pixels.

    Returns:
        float64 array (size,) with sum 1.
    """
    distance = np.arange(size) - (size - 1) / 2
    window = np.exp(-(distance**2) / (2 * sigma**2))
    return window / window.sum()


def window_mean(images: torch.Tensor, window: np.ndarray) -> torch.Tensor:
    """Average over the window around every pixel whose whole window lies in the image.

    float64 is averaged by OpenCV (torch has no fast float64 convolution on CPUs: about ten times
    slower), float32 by torch, and then gradients pass through.

    Args:
        images: (B, C, H, W), float64 or float32.
        window: (size,) weights of one axis, symmetric, size odd, sum 1.

    Returns:
        (B, C, H - size + 1, W - size + 1), on the device of ``images``.

    Raises:
        ValueError: the image is smaller than the window.
    """
    height, width = images.shape[-2:]
    if min(height, width) < len(window):
        raise ValueError(
            f"a measure's {len(window)} x {len(window)} window does not fit into a (scaled) image "
            f"of {height} x {width} px: give a larger picture"
        )
    flat = images.flatten(0, 1)
    means = _filtered(flat, window) if images.dtype == torch.float64 else _convolved(flat, window)
    return means.unflatten(0, images.shape[:2])


def _filtered(images: torch.Tensor, window: np.ndarray) -> torch.Tensor:
    """Average (N, H, W) in float64 by OpenCV."""
    margin = len(window) // 2
    height, width = images.shape[-2:]
    inner = slice(margin, height - margin), slice(margin, width - margin)
    arrays = images.cpu().numpy()
    means = [cv2.sepFilter2D(image, cv2.CV_64F, window, window)[inner] for image in arrays]
    return torch.from_numpy(np.stack(means)).to(images.device)


def _convolved(images: torch.Tensor, window: np.ndarray) -> torch.Tensor:
    """Average (N, H, W) by torch, as products with banded matrices.

    Convolutions of a single channel take a CPU five times as long, forth and back.
    """
    weights, kind = tuple(window.tolist()), (images.device, images.dtype)
    rows, columns = (_bands(side, weights, *kind) for side in images.shape[-2:])
    return rows @ images @ columns.mT


@lru_cache(maxsize=64)
def _bands(
    side: int, window: tuple[float, ...], device: torch.device, dtype: torch.dtype
) -> torch.Tensor:
    """The matrix (side - size + 1, side) that averages a column; made once, as constants are."""
    with torch.inference_mode(False):
        places = torch.arange(side - len(window) + 1)
        bands = torch.zeros(len(places), side, dtype=torch.float64)
        for offset, weight in enumerate(window):
            bands[places, places + offset] = weight
        return bands.to(device, dtype)
