"""Separable window averages in float64, shared by VIF, VIFF and MEF-SSIM."""

from __future__ import annotations

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

    OpenCV does the work: torch has no fast float64 convolution on CPUs (about ten times slower).

    Args:
        images: (B, C, H, W), float64.
        window: (size,) weights of one axis, symmetric, size odd, sum 1.

    Returns:
        (B, C, H - size + 1, W - size + 1), on the device of ``images``.

    Raises:
        ValueError: the image is smaller than the window.
    """
    batch, channels, height, width = images.shape
    margin = len(window) // 2
    if min(height, width) < len(window):
        raise ValueError(
            f"a measure's {len(window)} x {len(window)} window does not fit into a (scaled) image "
            f"of {height} x {width} px: give a larger picture"
        )
    inner = slice(margin, height - margin), slice(margin, width - margin)
    flat = images.reshape(-1, height, width).cpu().numpy()
    means = np.stack([cv2.sepFilter2D(image, cv2.CV_64F, window, window)[inner] for image in flat])
    return torch.from_numpy(means).to(images.device).unflatten(0, (batch, channels))
