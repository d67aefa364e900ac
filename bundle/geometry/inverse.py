"""From moving to fixed points: the inverse of a field that does not fold."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch
from torch.nn import functional

from bundle.geometry.fields import to_itk
from bundle.geometry.sampling import values_at

ROUNDS, TOLERANCE = 50, 2e-3
"""Iterations of the fixed point, at most, and the largest change in voxels at which it stops."""


def inverse_field(field: sitk.Image) -> sitk.Image:
    """The field v with v(x) = -u(x + v(x)), by fixed-point iteration.

    Args:
        field: u, an elastic displacement field whose Jacobian determinant is positive,
            millimetres, LPS; beyond its border it is taken to go on.

    Returns:
        float32 vectors on the same grid, enlarged by the largest displacement: what the field
        moves out of its grid comes back.
    """
    direction = np.reshape(field.GetDirection(), (3, 3))
    steps = sitk.GetArrayViewFromImage(field) @ direction / field.GetSpacing()  # voxels, x, y, z
    rim = [int(np.ceil(most)) for most in np.abs(steps).max(axis=(0, 1, 2))]
    grid = sitk.Image(field.GetSize(), sitk.sitkUInt8)
    grid.CopyInformation(field)
    grid = sitk.ConstantPad(grid, rim, rim)
    margins = [margin for one in rim for margin in (one, one)]
    forward = torch.from_numpy(steps[..., ::-1].astype(np.float32)).movedim(-1, 0)
    forward = functional.pad(forward[None], margins, mode="replicate")
    return to_itk(_fixed_point(forward), grid)


def _fixed_point(forward: torch.Tensor) -> torch.Tensor:
    """Iterate v(x) <- -u(x + v(x)), voxel by voxel until it stands; u is (1, 3, D, H, W), voxels.

    Returns:
        v, (3, D, H, W).
    """
    shape = forward.shape[2:]
    axes = [torch.arange(n, dtype=torch.float32) for n in shape]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)
    inverse = -forward[0].flatten(1)
    moving = torch.arange(points.shape[1])
    for _ in range(ROUNDS):
        before = inverse[:, moving]
        after = -values_at(forward, points[:, moving] + before)
        inverse[:, moving] = after
        moving = moving[(after - before).abs().amax(dim=0) > TOLERANCE]
        if not len(moving):
            break
    return inverse.view(3, *shape)
