"""Jacobian determinants of x + field(x): by what factor a field changes areas and volumes."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch
from monai.utils import convert_to_tensor
from torch.nn import functional


def jacobian_determinant(ddf: torch.Tensor) -> torch.Tensor:
    """Determinant at every pixel: central differences, one-sided at the border; for measures.

    Args:
        ddf: (B, 2, H, W), channel 0 along rows, channel 1 along columns, voxels, pull-back.

    Returns:
        (B, H, W), float64; 1 without displacement, 0 or less where the mapping folds.
    """
    ddf = convert_to_tensor(ddf, dtype=torch.float64, track_meta=False)
    i_by_i, i_by_j = torch.gradient(ddf[:, 0], dim=(1, 2))
    j_by_i, j_by_j = torch.gradient(ddf[:, 1], dim=(1, 2))
    return (1 + i_by_i) * (1 + j_by_j) - i_by_j * j_by_i


def cell_determinant(ddf: torch.Tensor) -> torch.Tensor:
    """Determinant between every pixel and the next ones: forward differences; for networks.

    Central differences are blind to pixels that change places alternately. TorchScript compiles
    this function, and gradients pass through it.

    Args:
        ddf: (B, 2, H, W), as for :func:`jacobian_determinant`.

    Returns:
        (B, H, W) of the type of ``ddf``; the border is repeated, so the last row and the last
        column know one difference only.
    """
    extended = functional.pad(ddf, [0, 1, 0, 1], mode="replicate")
    by_i = extended[:, :, 1:, :-1] - ddf
    by_j = extended[:, :, :-1, 1:] - ddf
    return (1.0 + by_i[:, 0]) * (1.0 + by_j[:, 1]) - by_i[:, 1] * by_j[:, 0]


def volume_determinant(field: sitk.Image) -> sitk.Image:
    """Determinant at every voxel of a volume, on the field's grid; 0 or less where it folds.

    ITK's own filter takes the differences along the grid's axes and the vectors as they are, in
    LPS: that is right on grids along LPS only. Here the vectors are turned to the axes first.

    Args:
        field: displacements, millimetres, LPS, pull-back; any orientation of the grid.
    """
    direction = np.reshape(field.GetDirection(), (3, 3))
    if (direction == np.eye(3)).all():
        return sitk.DisplacementFieldJacobianDeterminant(field)
    vectors = sitk.GetArrayFromImage(field).astype(np.float64) @ direction
    along = sitk.GetImageFromArray(vectors, isVector=True)
    along.SetSpacing(field.GetSpacing())
    determinant = sitk.DisplacementFieldJacobianDeterminant(along)
    determinant.CopyInformation(field)
    return determinant
