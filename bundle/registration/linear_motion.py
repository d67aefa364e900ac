"""A rigid or affine motion by mutual information, from one placement."""

from __future__ import annotations

from dataclasses import dataclass

import SimpleITK as sitk

from bundle.geometry.transform import as_matrix, as_transform
from bundle.registration.similarity import BINS
from bundle.registration.start_candidates import Candidate, points_of
from bundle.registration.start_volume import StartVolume


@dataclass(frozen=True)
class Level:
    """How a motion is optimised.

    Attributes:
        shrink: voxels of the fixed volume that make one, along each axis.
        sigma: width in mm of the Gaussian over both volumes.
        first_step: in mm.
        last_step: in mm; a step that would be shorter ends the search.
        most_steps: their number.
    """

    shrink: int
    sigma: float
    first_step: float
    last_step: float
    most_steps: int


COARSEST_LEVEL = Level(1, 4.0, 4.0, 0.1, 40)
MIDDLE_LEVEL = Level(2, 3.0, 1.0, 1e-3, 150)
FINE_LEVEL = Level(1, 0.0, 1.0, 1e-3, 150)


def optimised_motion(
    fixed: StartVolume,
    moving: StartVolume,
    begin: Candidate,
    init: str,
    level: Level,
) -> Candidate:
    """Optimise a motion of the fixed points before the placement, about the head's middle.

    Args:
        fixed: the reference volume; its head counts.
        moving: the volume to register.
        begin: the placement, fixed to moving points, mm, LPS.
        init: ``affine``, or another word for a rigid motion.
        level: how.

    Returns:
        the placement after the motion; as it was where it leaves the moving volume.
    """
    transform = sitk.AffineTransform(3) if init == "affine" else sitk.Euler3DTransform()
    transform.SetCenter(points_of(fixed.head).mean(axis=0).tolist())
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(fixed.head)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        level.first_step, level.last_step, level.most_steps, 0.6, 1e-8
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([level.shrink])
    method.SetSmoothingSigmasPerLevel([level.sigma])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetMovingInitialTransform(as_transform(begin.matrix))
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(_four_slices(fixed.image), _four_slices(moving.image))
    except RuntimeError:  # the samples left the moving volume: this start leads nowhere
        return begin
    return Candidate(begin.name, begin.matrix @ as_matrix(transform))


def _four_slices(volume: sitk.Image) -> sitk.Image:
    """Repeat the outer slices of a thin volume: ITK smooths four at least."""
    lacking = [max(0, 4 - size) for size in volume.GetSize()]
    return sitk.ZeroFluxNeumannPad(volume, [n // 2 for n in lacking], [-(-n // 2) for n in lacking])
