"""How far a transform is from a known one: on the head, on landmarks and on labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.evaluation.demo_pairs import GRID
from bundle.geometry.transform import displacement_field
from bundle.metrics.overlap import label_dice
from bundle.phantom.canvas import Tissue
from bundle.phantom.pairs import make_head
from bundle.training.heads.pairs import VALIDATION
from bundle.training.heads.volumes import head_volume_pair


@dataclass(frozen=True)
class AlignedPair:
    """Two volumes that are aligned.

    Attributes:
        fixed: reference volume.
        moving: volume aligned with it.
        modality: of the moving volume, if it is known.
        labels: uint8 on the grid of both, 0 = background, if anatomy is known.
        landmarks: (K, 3) mm, LPS, if anatomy is known.
        where: uint8 on the fixed grid, 1 where errors count; None: the head.
    """

    fixed: sitk.Image
    moving: sitk.Image
    modality: str | None = None
    labels: sitk.Image | None = None
    landmarks: np.ndarray | None = None
    where: sitk.Image | None = None


def phantom_pair(modality: str, seed: int) -> AlignedPair:
    """The T1 volume of a phantom head and its CT, PET or SPECT.

    Args:
        modality: CT (HU), PET or SPECT (1000 = cortex).
        seed: of the head.
    """
    head = make_head(seed, **GRID)
    scale = 1 if modality == "CT" else 1000
    fixed = _on_grid(np.round(head.contrast("T1") * 1000), head.affine)
    moving = _on_grid(np.round(head.contrast(modality) * scale), head.affine)
    points = np.array([mark.mm for mark in head.landmarks.values()]).reshape(-1, 3)
    labels = sitk.Cast(_on_grid(head.labels, head.affine), sitk.sitkUInt8)
    return AlignedPair(fixed, moving, modality, labels, points * [-1, -1, 1])


def painted_pair(folder: Path, modality: str, seed: int) -> AlignedPair:
    """A painted head of the validation as T1 and CT, PET or SPECT; errors count in the brain.

    Args:
        folder: of tissue maps, see :mod:`bundle.training.heads`.
        modality: CT, PET or SPECT.
        seed: chooses the head, and all that is drawn.

    Raises:
        InputError: the folder holds no head of the validation.
    """
    paths = [folder / f"{name}.nii.gz" for name in VALIDATION]
    paths = [path for path in paths if path.is_file()]
    if not paths:
        raise InputError(f"{folder}: holds none of {', '.join(VALIDATION)}; check the folder")
    pair = head_volume_pair(paths[seed % len(paths)], modality, seed)
    return AlignedPair(pair.fixed, pair.moving, modality, where=pair.brain)


def _on_grid(values: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """A volume (I, J, K) whose axes run to the right, front and top, in LPS."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.T.astype(np.float64)))
    image.SetSpacing(np.diag(affine)[:3].tolist())
    image.SetDirection([-1, 0, 0, 0, -1, 0, 0, 0, 1])
    image.SetOrigin((affine[:3, 3] * [-1, -1, 1]).tolist())
    return image


def mean_error(found: sitk.Transform, truth: sitk.Transform, head: sitk.Image) -> float:
    """Mean distance in mm of where two transforms bring the head's points.

    Args:
        found: fixed to moving points, mm, LPS.
        truth: likewise.
        head: uint8, 1 where points count.
    """
    inside = sitk.GetArrayViewFromImage(head) > 0
    fields = [
        sitk.GetArrayFromImage(displacement_field(transform, head))[inside].astype(np.float64)
        for transform in (found, truth)
    ]
    return float(np.linalg.norm(fields[0] - fields[1], axis=-1).mean())


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
