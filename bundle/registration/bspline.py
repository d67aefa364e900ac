"""An optional last step in 3D: a B-spline that goes on from the start and the elastic field."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from bundle.geometry.jacobian import volume_determinant
from bundle.geometry.region import cropped, shrunk, widened
from bundle.geometry.transform import displacement_field, field_transform
from bundle.registration.one_thread import one_thread
from bundle.registration.rigid import RIM
from bundle.registration.similarity import BINS, mutual_information

MESH = 30.0
"""Distance of the control points, mm."""

VOXEL = 2.0
"""Voxel size on which the B-spline is sought, mm."""

SAMPLES = 30000
"""Voxels in and around the head that the metric looks at."""

SMOOTHED = (4.0, 1.0)
"""Width in mm of the Gaussian over the images, level by level."""

ITERATIONS, EVALUATIONS = 30, 40
"""Of the optimiser, at most, at each level."""

GAIN = 1.1
"""The mutual information in the head has to rise by this factor: a little it always does."""

MOST_FOLDED = 0.001
"""Share of the head's voxels that may fold."""


@dataclass(frozen=True)
class Refinement:
    """What became of the step.

    Attributes:
        field: the B-spline as displacements on the fixed grid, millimetres, LPS, pull-back; applied
            to a fixed point before the field found so far. None where the optimiser found no way.
        information: mutual information in the head before and after.
        folding: share of the head that the whole field folds.
        reason: why the step is dropped, '' if it is kept.
        seconds: that it took.
    """

    field: sitk.Image | None
    information: tuple[float, float]
    folding: float
    reason: str
    seconds: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether the step belongs to the result."""
        return not self.reason


def refine(
    fixed: sitk.Image, moving: sitk.Image, head: sitk.Image, initial: sitk.Transform
) -> Refinement:
    """Seek a B-spline by Mattes mutual information (Rueckert et al., IEEE TMI 1999) and judge it.

    It is sought in and around the head, from coarse to fine, on one thread with seeded samples:
    the same input gives the same result. It is kept if it raises the mutual information in the
    head by the factor ``GAIN`` and the field folds in ``MOST_FOLDED`` of it at most.

    Args:
        fixed: in [0, 1].
        moving: in [0, 1], brought onto the fixed grid by the start.
        head: uint8 on the fixed grid, 1 where voxels count.
        initial: the field found so far, from fixed points to those of ``moving``.
    """
    began = time.perf_counter()
    inside = sitk.GetArrayViewFromImage(head) > 0

    def information(transform: sitk.Transform) -> float:
        warped = sitk.Resample(moving, moving, transform, sitk.sitkLinear, 0.0)
        return mutual_information(
            sitk.GetArrayFromImage(fixed), sitk.GetArrayFromImage(warped), inside
        )

    before = information(initial)
    try:
        with one_thread():
            field = spline_field(fixed, moving, head, initial)
    except RuntimeError:  # ITK: the samples left the moving volume
        seconds = time.perf_counter() - began
        return Refinement(None, (before, before), 0.0, "it found no way", seconds)
    total = sitk.CompositeTransform([initial, field_transform(field)])
    determinant = sitk.GetArrayFromImage(volume_determinant(displacement_field(total, fixed)))
    after, folding = information(total), float((determinant[inside] <= 0).mean())
    seconds = time.perf_counter() - began
    return Refinement(field, (before, after), folding, judge(before, after, folding), seconds)


def judge(before: float, after: float, folding: float) -> str:
    """Why a step is to be dropped, '' if it is good.

    Args:
        before: mutual information in the head without it.
        after: with it.
        folding: share of the head's voxels with a Jacobian determinant of 0 or less.
    """
    if not after > GAIN * before:
        return f"mutual information in the head went from {before:.3f} to {after:.3f} only"
    if folding > MOST_FOLDED:
        return f"its field folds in {100 * folding:.2f} % of the head"
    return ""


def spline_field(
    fixed: sitk.Image, moving: sitk.Image, head: sitk.Image, initial: sitk.Transform
) -> sitk.Image:
    """The B-spline's displacement on the fixed grid, mm, pull-back.

    Args:
        fixed: the reference volume.
        moving: the volume to register; in one range of values with the fixed one.
        head: uint8 on the fixed grid, 1 where voxels count.
        initial: brings the points that the B-spline finds to the moving volume.

    Raises:
        RuntimeError: of ITK, where the volumes do not overlap.
    """
    near = widened(head, RIM)
    box = cropped(fixed, near)
    # ITK's B-spline is 0 from the border of its domain on: keep all voxels inside
    domain = sitk.ConstantPad(box, [1, 1, 1], [1, 1, 1], 0.0)
    extent = np.array(domain.GetSize()) * domain.GetSpacing()
    mesh = [max(1, round(side / MESH)) for side in extent.tolist()]
    spline = sitk.BSplineTransformInitializer(domain, mesh)
    small = shrunk(box, VOXEL)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(near)
    method.SetMetricSamplingStrategy(method.RANDOM)
    share = min(1.0, SAMPLES / small.GetNumberOfPixels())
    method.SetMetricSamplingPercentage(share, seed=1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetMovingInitialTransform(initial)
    method.SetInitialTransform(spline, inPlace=True)
    method.SetOptimizerAsLBFGSB(
        numberOfIterations=ITERATIONS, maximumNumberOfFunctionEvaluations=EVALUATIONS
    )
    # coarser images would have too few voxels for so many control points
    method.SetShrinkFactorsPerLevel([1] * len(SMOOTHED))
    method.SetSmoothingSigmasPerLevel(list(SMOOTHED))
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.Execute(small, shrunk(moving, VOXEL))
    return _continued(spline, box, fixed)


def _continued(spline: sitk.Transform, box: sitk.Image, grid: sitk.Image) -> sitk.Image:
    """The displacement in a box of the grid; around it that of its rim goes on."""
    inside = sitk.GetArrayFromImage(displacement_field(spline, box))
    first = grid.TransformPhysicalPointToIndex(box.GetOrigin())
    room = [(a, n - a - m) for a, n, m in zip(first, grid.GetSize(), box.GetSize(), strict=True)]
    whole = np.pad(inside, [*reversed(room), (0, 0)], mode="edge")
    field = sitk.GetImageFromArray(whole, isVector=True)
    field.CopyInformation(grid)
    return field
