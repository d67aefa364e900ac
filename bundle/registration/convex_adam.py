"""ConvexAdam (Siebert et al., IEEE TMI 2024): a coupled convex search, and Adam.

The search is that of its authors' package, on faster functions. Adam is our own: it samples the
head alone, while the package samples the whole volume.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from bundle.registration.box_means import box_means
from bundle.registration.instance_optimisation import instance_optimisation

RADIUS, DISTANCE = 1, 2
"""Voxels of the patches of MIND-SSC and between them, as in the package."""

CELL = 6
"""Voxels along each side of a cell of the search, as in the package."""

FARTHEST = 4
"""Cells: the largest displacement along an axis that is searched, as in the package."""

FINE = 2
"""Voxels along each side of a cell in which Adam goes on, as in the package."""


def convex_adam(fixed: np.ndarray, moving: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Register by self-similarities (MIND-SSC), without training.

    Args:
        fixed: (H, W, D), whole cells of ``CELL`` voxels.
        moving: the same shape.
        where: bool, the same shape: where the fixed volume counts for Adam.

    Returns:
        displacements (3, H, W, D) in voxels, in the order of the axes, pull-back.
    """
    with package():
        features = [_self_similarities(one) for one in (fixed, moving)]
        found = _searched(*(functional.avg_pool3d(one, CELL) for one in features))
    start = _resized(found, [count // FINE for count in fixed.shape]) / FINE
    near = functional.max_pool3d(torch.from_numpy(where).float()[None], FINE)[0] > 0
    fine_fixed, fine_moving = (functional.avg_pool3d(one, FINE)[0] for one in features)
    steps = instance_optimisation(fine_fixed, fine_moving, start[0], near)
    return FINE * _resized(steps[None], fixed.shape)[0].numpy()


@contextmanager
def package() -> Iterator[None]:
    """The package on faster functions, and without what it changes and prints."""
    # it silences all warnings as it is imported, and needs gradients
    with warnings.catch_warnings(), torch.inference_mode(False), torch.enable_grad():
        from convexAdam import convex_adam_MIND, convex_adam_utils

        convex_adam_MIND.F = convex_adam_utils.F = Functions()
        warnings.simplefilter("ignore")  # torch's notes on its own defaults
        yield


def _self_similarities(volume: np.ndarray) -> torch.Tensor:
    """MIND-SSC (1, 12, H, W, D)."""
    from convexAdam.convex_adam_utils import MINDSSC

    values = torch.from_numpy(volume).float()[None, None]
    found: torch.Tensor = MINDSSC(values, RADIUS, DISTANCE, device="cpu")
    return found


def _searched(fixed: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
    """Displacements (1, 3, h, w, d) in voxels, from features of cells, in both directions alike."""
    from convexAdam.convex_adam_utils import correlate, coupled_convex, inverse_consistency

    cells = fixed.shape[2:]
    shape = [CELL * count for count in cells]
    steps = torch.arange(-FARTHEST, FARTHEST + 1).float()
    # the package counts these backwards: slices first
    searched = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij")[::-1]).view(3, -1, 1)
    both = [
        coupled_convex(
            *correlate(*pair, FARTHEST, CELL, shape, fixed.shape[1]), searched, CELL, shape
        )
        for pair in ((fixed, moving), (moving, fixed))
    ]
    half = torch.tensor([count - 1 for count in cells]).view(1, 3, 1, 1, 1) / 2
    there, _ = inverse_consistency(*((one / half).flip(1) for one in both), iter=15)
    found: torch.Tensor = there.flip(1) * half * CELL
    return found


def _resized(volume: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    return functional.interpolate(volume, list(size), mode="trilinear")


class Functions:
    """``torch.nn.functional`` for the package, whose pooling and sampling take most of its time."""

    def __getattr__(self, name: str) -> Any:
        return getattr(functional, name)

    @staticmethod
    def avg_pool3d(
        values: torch.Tensor, kernel_size: int, stride: int | None = None, padding: int = 0
    ) -> torch.Tensor:
        """See ``torch.nn.functional.avg_pool3d``."""
        if (kernel_size, stride) == (3, 1) and padding < 2 and not values.requires_grad:
            inner = slice(1, -1) if padding == 0 else slice(None)
            return box_means(values)[..., inner, inner, inner]
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


def _shifts(kernels: torch.Tensor) -> torch.Tensor | None:
    """Places (n, 3) of the single 1 in each of (n, 1, 3, 3, 3) kernels; None if they differ."""
    places = kernels.nonzero()
    whole = kernels.shape[1:] == (1, 3, 3, 3) and bool((kernels**2 == kernels).all())
    single = places[:, 0].tolist() == list(range(len(kernels)))
    return places[:, 2:] if whole and single else None
