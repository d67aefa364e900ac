"""Dice of warped labels and landmark error of one pair, where anatomy is known (the phantom)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from monai.networks.blocks import Warp

from bundle.metrics.landmark_error import landmark_error, moved
from bundle.metrics.overlap import label_dice


@dataclass(frozen=True)
class Anatomy:
    """What is where in a pair.

    Attributes:
        fixed: labels (1, 1, H, W), whole numbers, 0 = background.
        deformed: the same labels moved as the moving image was, as ``fixed``.
        landmarks: (K, 2), points of the fixed image in voxels, rows before columns.
    """

    fixed: torch.Tensor
    deformed: torch.Tensor
    landmarks: torch.Tensor


def anatomy_measures(
    ddf: torch.Tensor, true_ddf: torch.Tensor, anatomy: Anatomy
) -> dict[str, float]:
    """Mean Dice over the tissues present in the fixed image, mean TRE over its landmarks.

    Args:
        ddf: (1, 2, H, W), voxels, ij, pull-back.
        true_ddf: as ``ddf``; it says where the landmarks are in the moving image.
        anatomy: of the pair.

    Returns:
        ``Dice``, 0 to 1 (nearest neighbour twice: below 1 even for the true field), and ``TRE``,
        px; ``TRE`` is left out where the picture shows no landmark.
    """
    warped = Warp("nearest", "zeros")(anatomy.deformed.float(), ddf.float())
    dice = label_dice(warped, anatomy.fixed, int(anatomy.fixed.max()) + 1)
    values = {"Dice": float(dice.nanmean())}
    points = anatomy.landmarks.double().cpu().numpy()
    if len(points):
        field, truth = (f[0].double().cpu().numpy() for f in (ddf, true_ddf))
        values["TRE"] = float(landmark_error(field, points, moved(points, truth)).mean())
    return values
