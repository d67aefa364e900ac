"""A rigid motion by the gradient of mutual information, from one placement."""

from __future__ import annotations

from dataclasses import replace

import SimpleITK as sitk

from bundle.geometry.transform import as_matrix, as_transform
from bundle.registration.one_thread import one_thread
from bundle.registration.similarity import BINS
from bundle.registration.start_candidates import Candidate, points_of
from bundle.registration.start_volume import StartVolume

SIGMA = 4.0
"""Width in mm of the Gaussian over both volumes."""

FIRST_STEP, LAST_STEP, MOST_STEPS = 4.0, 0.1, 40
"""Length in mm of the first step; the search ends before a shorter one than the last, or after so
many."""


def optimised_motion(fixed: StartVolume, moving: StartVolume, begin: Candidate) -> Candidate:
    """Raise Mattes mutual information (Mattes et al., IEEE TMI 2003) on coarse voxels.

    Args:
        fixed: the reference volume; its head counts.
        moving: the volume to register.
        begin: the placement, fixed to moving points, mm, LPS.

    Returns:
        the placement after a motion of the fixed points about the head's middle; as it was where
        that leaves the moving volume.
    """
    transform = sitk.Euler3DTransform()
    transform.SetCenter(points_of(fixed.head).mean(axis=0).tolist())
    with one_thread():
        method = _method(fixed, begin, transform)
        try:
            method.Execute(_four_slices(fixed.image), _four_slices(moving.image))
        except RuntimeError:  # the samples left the moving volume: this start leads nowhere
            return begin
    return replace(begin, matrix=begin.matrix @ as_matrix(transform))


def _method(
    fixed: StartVolume, begin: Candidate, transform: sitk.Transform
) -> sitk.ImageRegistrationMethod:
    """ITK's, which changes the transform in place."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(fixed.head)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(FIRST_STEP, LAST_STEP, MOST_STEPS, 0.6, 1e-8)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([1])
    method.SetSmoothingSigmasPerLevel([SIGMA])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetMovingInitialTransform(as_transform(begin.matrix))
    method.SetInitialTransform(transform, inPlace=True)
    return method


def _four_slices(volume: sitk.Image) -> sitk.Image:
    """Repeat the outer slices of a thin volume: ITK smooths four at least."""
    lacking = [max(0, 4 - size) for size in volume.GetSize()]
    return sitk.ZeroFluxNeumannPad(volume, [n // 2 for n in lacking], [-(-n // 2) for n in lacking])
