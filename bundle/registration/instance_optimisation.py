"""Adam on the displacements of one pair: the second half of ConvexAdam."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bundle.geometry.sampling import values_at

STEPS = 60
"""Of the 80 of ConvexAdam's package: the last ones change little (measured on painted heads)."""

SMOOTHNESS = 1.25
"""Weight of the squared differences between neighbouring displacements."""

RATE, MEMORY, TINY = 1.0, (0.9, 0.999), 1e-8
"""Of Adam (Kingma and Ba, ICLR 2015)."""


def instance_optimisation(
    fixed: torch.Tensor, moving: torch.Tensor, start: torch.Tensor, where: torch.Tensor
) -> torch.Tensor:
    """Bring features closer by displacements that stay smooth.

    What is minimised is the squared difference of the features, summed over the channels, and
    ``SMOOTHNESS`` times that of neighbouring displacements, both as means over the volume. Each
    displacement is a mean over three times 3 x 3 x 3 parameters, which Adam changes.

    Args:
        fixed: features, (C, H, W, D).
        moving: the same of the moving volume.
        start: the first parameters, (3, H, W, D), voxels, in the order of the axes.
        where: bool (H, W, D), where the features count.

    Returns:
        (3, H, W, D), voxels, pull-back: ``moving(x + displacement(x))`` is alike ``fixed(x)``.
    """
    with torch.inference_mode(False), torch.enable_grad():
        points = where.flatten().nonzero().flatten()
        places = where.nonzero().T.float()
        wanted = fixed.flatten(1)[:, points]
        smooth = [_mean_of_three(count) for count in where.shape]
        parameters = start.clone().requires_grad_()
        mean, square = torch.zeros_like(start), torch.zeros_like(start)
        for step in range(1, STEPS + 1):
            displacement = _smoothed(parameters, smooth)
            moved = places + displacement.flatten(1).index_select(1, points)
            unlike = (values_at(moving[None], moved) - wanted).square().sum() / where.numel()
            loss = unlike + SMOOTHNESS * _roughness(displacement)
            (gradient,) = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                mean.lerp_(gradient, 1 - MEMORY[0])
                square.lerp_(gradient.square(), 1 - MEMORY[1])
                size = (square / (1 - MEMORY[1] ** step)).sqrt() + TINY
                parameters.addcdiv_(mean, size, value=-RATE / (1 - MEMORY[0] ** step))
    return displacement.detach()


def _mean_of_three(count: int) -> torch.Tensor:
    """Three times the mean over three neighbours, zeros beyond the ends, as a matrix (N, N)."""
    near = torch.ones(count, count).tril(1).triu(-1) / 3
    return near @ near @ near


def _smoothed(volume: torch.Tensor, matrices: Sequence[torch.Tensor]) -> torch.Tensor:
    """(C, H, W, D) smoothed along each axis by its symmetric matrix."""
    rows, columns, slices = matrices
    along = columns @ (volume @ slices)
    return (rows @ along.flatten(2)).view_as(volume)


def _roughness(displacement: torch.Tensor) -> torch.Tensor:
    """Mean squared differences of neighbours along each axis, summed over the axes."""
    steps = (torch.diff(displacement, dim=axis) for axis in (1, 2, 3))
    return torch.stack([step.square().mean() for step in steps]).sum()
