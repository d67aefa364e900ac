"""From moving to fixed points: the inverse of a field that does not fold."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch
from torch.nn import functional

from bundle.geometry.fields import to_itk
from bundle.geometry.sampling import values_at

ROUNDS, TOLERANCE = 60, 2e-3
"""Iterations of the fixed point, at most, and the whole step in voxels at which a voxel stops."""

WHOLE, SHARE = 10, 0.5
"""After so many iterations what still moves goes this share of the way: where the field stretches
space to more than twice its length whole steps do not converge, half ones do up to four times."""

LARGEST_VOXEL = 2.2
"""Longest side in mm of the inverse's voxels; those of about 2 mm are left as they are. In slices
5 mm apart linear interpolation would miss the inverse by more than 0.1 mm in a tenth of a head."""

MOST_VOXELS = 2e7
"""If a finer grid would have more voxels than this, the field's own is used."""

MEAN_CURVE = 1 / 12
"""Of a second difference: by how much linear interpolation errs in the mean. At t from one voxel to
the next it errs by t (1 - t) / 2 of it: by 0 in voxels and 1/8 in the middle, and so corrected by
-1/12 and 1/24."""


def inverse_field(field: sitk.Image) -> sitk.Image:
    """The field v with v(x) = -u(x + v(x)), by fixed-point iteration, for linear interpolation.

    Args:
        field: u, an elastic displacement field whose Jacobian determinant is positive,
            millimetres, LPS; beyond its border it is taken to go on.

    Returns:
        float32 vectors on the same grid, finer along axes with voxels above ``LARGEST_VOXEL``
        unless that makes too many, and enlarged by the largest displacement: what the field moves
        out of its grid comes back.
    """
    field = _in_small_voxels(field)
    direction = np.reshape(field.GetDirection(), (3, 3))
    steps = sitk.GetArrayViewFromImage(field) @ direction / field.GetSpacing()  # voxels, x, y, z
    rim = [int(np.ceil(most)) for most in np.abs(steps).max(axis=(0, 1, 2))]
    grid = sitk.Image(field.GetSize(), sitk.sitkUInt8)
    grid.CopyInformation(field)
    grid = sitk.ConstantPad(grid, rim, rim)
    margins = [margin for one in rim for margin in (one, one)]
    forward = torch.from_numpy(steps[..., ::-1].astype(np.float32)).movedim(-1, 0)
    forward = functional.pad(forward[None], margins, mode="replicate")
    return to_itk(_for_interpolation(_fixed_point(forward)), grid)


def _in_small_voxels(field: sitk.Image) -> sitk.Image:
    """The same field in voxels of ``LARGEST_VOXEL`` or less.

    Its points are among the new ones, so linear interpolation gives the same between them, and over
    the outer half of the border voxels.
    """
    spacing, size = np.array(field.GetSpacing()), np.array(field.GetSize())
    parts = np.ceil(spacing / LARGEST_VOXEL).astype(int)
    rim = parts // 2
    counts = (size - 1) * parts + 1 + 2 * rim
    if (parts == 1).all() or counts.prod() > MOST_VOXELS:
        return field
    origin = field.TransformContinuousIndexToPhysicalPoint((-rim / parts).tolist())
    return sitk.Resample(
        field, counts.tolist(), sitk.Transform(), sitk.sitkLinear, origin,
        (spacing / parts).tolist(), field.GetDirection(), 0.0, field.GetPixelID(), True,
    )  # fmt: skip


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
    for done in range(ROUNDS):
        before = inverse[:, moving]
        step = -values_at(forward, points[:, moving] + before) - before
        inverse[:, moving] = before + step * (1.0 if done < WHOLE else SHARE)
        moving = moving[step.abs().amax(dim=0) > TOLERANCE]
        if not len(moving):
            break
    return inverse.view(3, *shape)


def _for_interpolation(field: torch.Tensor) -> torch.Tensor:
    """A field (3, D, H, W) less the mean error of linear interpolation in each cell.

    Exact values err in voxels by nothing and most between them; these err in both, by less.
    """
    curve = torch.zeros_like(field)
    for axis in (1, 2, 3):
        inner = max(field.shape[axis] - 2, 0)
        curve.narrow(axis, 1, inner).add_(field.diff(dim=axis).diff(dim=axis))
    return field - MEAN_CURVE * curve
