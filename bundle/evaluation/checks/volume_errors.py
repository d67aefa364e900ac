"""How far a transform is from a known one: in the brain, on landmarks and on labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch

from bundle.geometry.jacobian import volume_determinant
from bundle.geometry.transform import displacement_field
from bundle.metrics.overlap import label_dice
from bundle.phantom.canvas import Tissue

BOUND = 2.0
"""Uncertainties that the 95 % bound of the error is stated as."""


@dataclass(frozen=True)
class Accuracy:
    """Errors of one transform.

    Attributes:
        mean: distance in mm of where it and the truth bring a point, mean over the points.
        p95: 95th percentile of these distances.
        folded: share of the grid's voxels with a Jacobian determinant of 0 or less.
        within: share of the points whose error lies below the stated bound; None: none is stated.
    """

    mean: float
    p95: float
    folded: float
    within: float | None = None


def accuracy(
    found: sitk.Transform,
    truth: sitk.Image,
    where: sitk.Image,
    uncertainty: sitk.Image | None = None,
) -> Accuracy:
    """Measure a transform.

    Args:
        found: fixed to moving points, mm, LPS.
        truth: true displacements on the fixed grid, mm, LPS, pull-back.
        where: uint8 on the fixed grid, 1 where points count.
        uncertainty: mm, on the fixed grid.
    """
    inside = sitk.GetArrayViewFromImage(where) > 0
    field = displacement_field(found, where)
    far = sitk.GetArrayViewFromImage(field)[inside] - sitk.GetArrayViewFromImage(truth)[inside]
    error = np.linalg.norm(far.astype(np.float64), axis=-1)
    determinant = sitk.GetArrayFromImage(volume_determinant(field))
    within = None
    if uncertainty is not None:
        bound = BOUND * sitk.GetArrayViewFromImage(uncertainty)[inside]
        within = float((error <= bound).mean())
    return Accuracy(
        float(error.mean()),
        float(np.percentile(error, 95)),
        float((determinant <= 0).mean()),
        within,
    )


def seen(where: sitk.Image, truth: sitk.Transform, moving: sitk.Image) -> sitk.Image:
    """The points of a mask that the moving volume shows: about others it says nothing.

    Args:
        where: uint8 on the fixed grid, 1 where points count.
        truth: fixed to moving points, mm, LPS.
        moving: the misaligned volume.
    """
    shown = sitk.Image(moving.GetSize(), sitk.sitkUInt8) + 1
    shown.CopyInformation(moving)
    return where * sitk.Resample(shown, where, truth, sitk.sitkNearestNeighbor, 0)


def mean_error(found: sitk.Transform, truth: sitk.Transform, where: sitk.Image) -> float:
    """Mean distance in mm of where two transforms bring the points of a mask.

    Args:
        found: fixed to moving points, mm, LPS.
        truth: likewise.
        where: uint8, 1 where points count.
    """
    return accuracy(found, displacement_field(truth, where), where).mean


def landmark_error(found: sitk.Transform, truth: sitk.Transform, landmarks: np.ndarray) -> float:
    """Target registration error: mean distance in mm, over landmarks (K, 3) mm, LPS."""
    places = [
        np.array([transform.TransformPoint(point) for point in landmarks.tolist()])
        for transform in (found, truth)
    ]
    return float(np.linalg.norm(places[0] - places[1], axis=-1).mean())


def mean_dice(found: sitk.Transform, backward: sitk.Transform, labels: sitk.Image) -> float:
    """Dice of labels that were misaligned and brought back, mean over those in the volume.

    Args:
        found: fixed to moving points, mm, LPS.
        backward: the inverse of the true transform.
        labels: uint8, aligned.
    """
    moved = sitk.Resample(labels, labels, backward, sitk.sitkNearestNeighbor, 0)
    back = sitk.Resample(moved, labels, found, sitk.sitkNearestNeighbor, 0)
    arrays = [torch.from_numpy(sitk.GetArrayFromImage(v).astype(np.int64)) for v in (back, labels)]
    dice = label_dice(arrays[0][None, None], arrays[1][None, None], len(Tissue))
    return float(dice[~dice.isnan()].mean())
