"""A pair whose misalignment is known: what a registration is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import SimpleITK as sitk

from bundle.evaluation.checks.aligned import AlignedPair
from bundle.evaluation.checks.volume_errors import (
    Accuracy,
    accuracy,
    landmark_error,
    mean_dice,
    seen,
)
from bundle.geometry.transform import displacement_field
from bundle.training.heads.misalignment import misalignment, moved


@dataclass(frozen=True)
class MisalignedPair:
    """An aligned pair whose moving volume was moved.

    Attributes:
        pair: as it was before.
        moving: the moving volume, misaligned, on the grid that it had.
        truth: fixed to moving points, mm, LPS.
        backward: the inverse of the truth.
    """

    pair: AlignedPair
    moving: sitk.Image
    truth: sitk.Transform
    backward: sitk.Transform

    @cached_property
    def where(self) -> sitk.Image:
        """uint8 on the fixed grid, 1 where errors count: where the misaligned volume shows it."""
        return seen(self.pair.counted, self.truth, self.moving)

    @cached_property
    def field(self) -> sitk.Image:
        """The truth as displacements on the fixed grid, mm, LPS, pull-back."""
        return displacement_field(self.truth, self.pair.fixed)

    def accuracy(self, found: sitk.Transform, uncertainty: sitk.Image | None = None) -> Accuracy:
        """Measure a transform, see :func:`bundle.evaluation.checks.volume_errors.accuracy`."""
        return accuracy(found, self.field, self.where, uncertainty)

    def tre(self, found: sitk.Transform) -> float | None:
        """Target registration error: mean error of the landmarks in mm, if they are known."""
        if self.pair.landmarks is None:
            return None
        return landmark_error(found, self.truth, self.pair.landmarks)

    def dice(self, found: sitk.Transform) -> float | None:
        """Dice of the labels that were misaligned and brought back, if they are known."""
        if self.pair.labels is None:
            return None
        return mean_dice(found, self.backward, self.pair.labels)


def misaligned(pair: AlignedPair, seed: int, kind: str) -> MisalignedPair:
    """Misalign a pair.

    Args:
        pair: the pair.
        seed: of the misalignment.
        kind: one of :data:`bundle.training.heads.misalignment.MISALIGNMENTS`.
    """
    truth, backward = misalignment(pair.moving, seed, kind)
    moving = moved(pair.moving, backward)
    return MisalignedPair(pair, _without_bottom(moving, pair.lacking), truth, backward)


def _without_bottom(volume: sitk.Image, share: float) -> sitk.Image:
    """A volume without a share of its height; as it was where that is 0."""
    if share == 0.0:
        return volume
    upright = sitk.DICOMOrient(volume, "LPS")
    return upright[:, :, int(share * upright.GetDepth()) :]
