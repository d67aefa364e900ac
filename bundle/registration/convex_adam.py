"""ConvexAdam (Siebert et al., IEEE TMI 2024) by its authors' package, faster on a CPU."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from bundle.registration.box_means import BoxMeans, box_means


def convex_adam(fixed: np.ndarray, moving: np.ndarray, **settings: Any) -> np.ndarray:
    """Displacements (..., 3) in voxels, in the order of the axes, pull-back.

    Args:
        fixed: (H, W, D).
        moving: the same shape.
        **settings: of the package's ``convex_adam_pt``.
    """
    # the package silences all warnings as it is imported, and needs gradients
    with warnings.catch_warnings(), torch.inference_mode(False), torch.enable_grad():
        from convexAdam import convex_adam_MIND, convex_adam_utils

        convex_adam_MIND.F = convex_adam_utils.F = Functions()
        warnings.simplefilter("ignore")  # torch's notes on its own defaults

        found: np.ndarray = convex_adam_MIND.convex_adam_pt(
            fixed, moving, dtype=torch.float32, device=torch.device("cpu"), **settings
        )
    return found


class Functions:
    """``torch.nn.functional`` for the package, whose pooling and sampling take most of its time."""

    def __getattr__(self, name: str) -> Any:
        return getattr(functional, name)

    @staticmethod
    def avg_pool3d(
        values: torch.Tensor, kernel_size: int, stride: int | None = None, padding: int = 0
    ) -> torch.Tensor:
        """See ``torch.nn.functional.avg_pool3d``."""
        if (kernel_size, stride, padding) == (3, 1, 1):
            return BoxMeans.apply(values)  # type: ignore[no-untyped-call,no-any-return]
        if (kernel_size, stride, padding) == (3, 1, 0) and not values.requires_grad:
            return box_means(values)[..., 1:-1, 1:-1, 1:-1]
        return functional.avg_pool3d(values, kernel_size, stride, padding)

    @staticmethod
    def conv3d(values: torch.Tensor, kernels: torch.Tensor, *, dilation: int = 1) -> torch.Tensor:
        """See ``torch.nn.functional.conv3d``: kernels of a single 1 shift a volume."""
        shifts = _shifts(kernels)
        if shifts is None or values.shape[1] != 1:
            return functional.conv3d(values, kernels, dilation=dilation)
        height, width, depth = (count - 2 * dilation for count in values.shape[2:])
        shifted = [
            values[..., i : i + height, j : j + width, k : k + depth]
            for i, j, k in (dilation * shifts).tolist()
        ]
        return torch.cat(shifted, dim=1)

    @staticmethod
    def grid_sample(volume: torch.Tensor, grid: torch.Tensor, **options: Any) -> torch.Tensor:
        """See ``torch.nn.functional.grid_sample``.

        Torch samples a volume on one thread, and several beside each other: so the points of one
        volume are dealt out as if there were several.
        """
        parts = torch.get_num_threads()
        if len(volume) > 1 or volume.dim() < 5 or grid[..., 0].numel() % parts:
            return functional.grid_sample(volume, grid, **options)
        several = volume.expand(parts, *volume.shape[1:])
        found = functional.grid_sample(several, grid.reshape(parts, -1, 1, 1, 3), **options)
        return found.transpose(0, 1).reshape(1, volume.shape[1], *grid.shape[1:4])


def _shifts(kernels: torch.Tensor) -> torch.Tensor | None:
    """Places (n, 3) of the single 1 in each of (n, 1, 3, 3, 3) kernels; None if they differ."""
    places = kernels.nonzero()
    whole = kernels.shape[1:] == (1, 3, 3, 3) and bool((kernels**2 == kernels).all())
    single = places[:, 0].tolist() == list(range(len(kernels)))
    return places[:, 2:] if whole and single else None
