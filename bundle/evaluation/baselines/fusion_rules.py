"""Fusion rules that need no training, for registrations that only give a warped image."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch

LEVELS = 4

FusionRule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def laplacian_pyramid(
    fixed: torch.Tensor, warped: torch.Tensor, levels: int = LEVELS
) -> torch.Tensor:
    """Fuse by Laplacian pyramids (Burt and Adelson, IEEE Trans. Commun. 31(4), 1983).

    At every level the coefficient of larger magnitude is kept; the coarsest level is averaged.

    Args:
        fixed: (1, 1, H, W), luma 0 to 255.
        warped: as ``fixed``.
        levels: number of band-pass levels; fewer where the image is too small to be halved.

    Returns:
        (1, 1, H, W) float64; not clipped.
    """
    first, second = (
        _pyramid(image[0, 0].double().cpu().numpy(), levels) for image in (fixed, warped)
    )
    fused = (first[-1] + second[-1]) / 2
    for a, b in zip(reversed(first[:-1]), reversed(second[:-1]), strict=True):
        fused = _expand(fused, a.shape) + np.where(np.abs(a) >= np.abs(b), a, b)
    return torch.from_numpy(fused)[None, None]


def _pyramid(image: np.ndarray, levels: int) -> list[np.ndarray]:
    """Band-pass images from fine to coarse, then what is left."""
    bands: list[np.ndarray] = []
    while len(bands) < levels and min(image.shape) >= 4:
        smaller = cv2.pyrDown(image)
        bands.append(image - _expand(smaller, image.shape))
        image = smaller
    return [*bands, image]


def _expand(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return cv2.pyrUp(image, dstsize=(shape[1], shape[0]))


FUSION_RULES: dict[str, FusionRule] = {
    "maximum": torch.maximum,
    "Laplacian pyramid": laplacian_pyramid,
}
