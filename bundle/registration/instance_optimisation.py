"""Registration of one pair of feature volumes by Adam, without training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from bundle.geometry.sampling import values_at
from bundle.networks.spline import spline_weights

MEMORY, TINY = (0.9, 0.999), 1e-8
"""Of Adam (Kingma and Ba, ICLR 2015)."""

SHARES = 2
"""Of the voxels that count each step of Adam looks at one share, the next step at the next one.

With 2 the errors of painted heads and of a slab change by 0.01 mm at most, with 4 by 0.04 mm.
"""


@dataclass(frozen=True)
class Parametrisation:
    """How a field depends on parameters that Adam changes.

    Their weighted sum is added to a field that is given.

    Attributes:
        given: (3, H, W, D), voxels, in the order of the axes, pull-back.
        first: (3, h, w, d), the parameters to begin with.
        weights: along each axis, (H, h), (W, w) and (D, d).
        apart: voxels from one parameter to the next.
        control: whether the gradient of the parameters is to be small, or that of what they add.
    """

    given: torch.Tensor
    first: torch.Tensor
    weights: Sequence[torch.Tensor]
    apart: int
    control: bool

    def added(self, parameters: torch.Tensor) -> torch.Tensor:
        """What parameters (3, h, w, d) add to the given field, (3, H, W, D)."""
        rows, columns, slices = self.weights
        along = columns @ (parameters @ slices.T)
        return (rows @ along.flatten(2)).view_as(self.given)


def smoothed(first: torch.Tensor) -> Parametrisation:
    """The mean over 3 x 3 x 3 parameters, three times one after the other: as in ConvexAdam.

    Beyond the border lie zeros.

    Args:
        first: (3, H, W, D), the parameters to begin with.
    """
    weights = [_means(count) for count in first.shape[1:]]
    return Parametrisation(torch.zeros_like(first), first, weights, 1, control=False)


def spline_beside(given: torch.Tensor, apart: int) -> Parametrisation:
    """A field that is given, and a cubic B-spline (Rueckert et al., IEEE TMI 1999), 0 at first.

    Args:
        given: (3, H, W, D), voxels.
        apart: voxels from one control point to the next.
    """
    sizes = given.shape[1:]
    count = [max(2, round(n / apart)) for n in sizes]
    weights = [spline_weights(n, k, given) for n, k in zip(sizes, count, strict=True)]
    return Parametrisation(given, given.new_zeros(3, *count), weights, apart, control=True)


def instance_optimisation(
    fixed: torch.Tensor,
    moving: torch.Tensor,
    where: torch.Tensor,
    field: Parametrisation,
    steps: int,
    rate: float,
    smoothness: float,
) -> torch.Tensor:
    """Bring features closer by a smooth field.

    What is minimised is the features' squared difference, summed over the channels, and the
    squared gradient of what is added (of ``control``: of the parameters), both as means.

    Args:
        fixed: features, (C, H, W, D).
        moving: the same of the moving volume.
        where: bool (H, W, D), where the features count.
        field: how it depends on what Adam changes, and where it begins.
        steps: of Adam.
        rate: of Adam, in voxels.
        smoothness: weight of the squared gradient.

    Returns:
        (3, H, W, D), voxels, pull-back: ``moving(x + displacement(x))`` is alike ``fixed(x)``.
    """
    with torch.enable_grad():
        shares = [_share(k, fixed, where, field.given) for k in range(SHARES)]
        # the channels of a voxel beside each other in memory: torch samples them faster
        volume = moving[None].contiguous(memory_format=torch.channels_last_3d)
        parameters = field.first.clone().requires_grad_()
        mean, square = torch.zeros_like(parameters), torch.zeros_like(parameters)
        for step in range(1, steps + 1):
            points, places, wanted = shares[step % SHARES]
            added = field.added(parameters)
            moved = places + added.flatten(1).index_select(1, points)
            unlike = functional.mse_loss(values_at(volume, moved), wanted, reduction="sum")
            rough = _squared_gradient((parameters if field.control else added) / field.apart)
            loss = SHARES * unlike / where.numel() + smoothness * rough
            (gradient,) = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                mean.lerp_(gradient, 1 - MEMORY[0])
                square.lerp_(gradient.square(), 1 - MEMORY[1])
                size = (square / (1 - MEMORY[1] ** step)).sqrt() + TINY
                parameters.addcdiv_(mean, size, value=-rate / (1 - MEMORY[0] ** step))
        return field.given + field.added(parameters.detach())


def _share(
    number: int, fixed: torch.Tensor, where: torch.Tensor, given: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Every ``SHARES``-th of the voxels that count.

    Args:
        number: of the first one, 0 to ``SHARES`` - 1.
        fixed: features, (C, H, W, D).
        where: bool (H, W, D), which voxels count.
        given: the field at the beginning, (3, H, W, D), voxels, pull-back.

    Returns:
        their numbers (N,), their places (3, N) under the given field and their features (C, N).
    """
    points = where.flatten().nonzero().flatten()[number::SHARES]
    places = where.nonzero().T[:, number::SHARES] + given.flatten(1)[:, points]
    return points, places, fixed.flatten(1)[:, points]


def _means(count: int) -> torch.Tensor:
    """The mean over three neighbours, three times one after the other, as a matrix (N, N)."""
    near = torch.ones(count, count).tril(1).triu(-1) / 3
    return near @ near @ near


def _squared_gradient(values: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of neighbours along each axis, summed over the axes."""
    differences = (torch.diff(values, dim=axis) for axis in (1, 2, 3))
    return torch.stack([one.square().mean() for one in differences if one.numel()]).sum()
