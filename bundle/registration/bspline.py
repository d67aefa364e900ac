"""An optional last step in 3D: a B-spline that goes on from the start and the network's field."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch

from bundle.geometry.fields import to_itk
from bundle.geometry.head import cropped, shrunk, widened
from bundle.geometry.jacobian import volume_determinant
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
        spline: (3, H, W, D), voxels, channels slice, row, column, pull-back; applied to a fixed
            point before the network's field.
        warped: (H, W, D), the moving slices by spline and network's field.
        information: mutual information in the head before and after.
        folding: share of the head that the whole field folds.
        reason: why the step is dropped, '' if it is kept.
        seconds: that it took.
    """

    spline: torch.Tensor
    warped: torch.Tensor
    information: tuple[float, float]
    folding: float
    reason: str
    seconds: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether the step belongs to the result."""
        return not self.reason


def refine(
    fixed: torch.Tensor,
    moving: torch.Tensor,
    head: torch.Tensor,
    ddf: torch.Tensor,
    spacing: Sequence[float],
) -> Refinement:
    """Seek a B-spline by Mattes mutual information (Rueckert et al., IEEE TMI 1999) and judge it.

    It is sought in and around the head, from coarse to fine, on one thread with seeded samples:
    the same input gives the same result. It is kept if it raises the mutual information in the
    head by the factor ``GAIN`` and the field folds in less than ``MOST_FOLDED`` of it.

    Args:
        fixed: (H, W, D) in [0, 1].
        moving: (H, W, D) in [0, 1], brought onto the fixed grid by the start.
        head: bool (H, W, D), the voxels that count.
        ddf: (2, H, W, D), the network's field, voxels, rows before columns, pull-back.
        spacing: millimetres per row, column and slice.
    """
    began = time.perf_counter()
    fixed_image, moving_image = _image(fixed, spacing), _image(moving, spacing)
    mask = _image(head.to(torch.uint8), spacing)
    flat = torch.cat([torch.zeros_like(ddf[:1]), ddf]).movedim(-1, 1)
    network = field_transform(to_itk(flat, fixed_image))
    inside = head.cpu().numpy().astype(bool)

    def information(warped: sitk.Image) -> float:
        return mutual_information(fixed.cpu().numpy(), _array(warped), inside)

    before = information(_resampled(moving_image, network))
    try:
        with one_thread():
            field = spline_field(fixed_image, moving_image, mask, network)
    except RuntimeError:  # ITK: the samples left the moving volume
        none = torch.zeros_like(flat).movedim(1, -1)
        return Refinement(none, moving, (before, before), 0.0, "it found no way")
    total = sitk.CompositeTransform([network, field_transform(field)])
    warped = _resampled(moving_image, total)
    after = information(warped)
    determinant = _array(volume_determinant(displacement_field(total, fixed_image)))
    folding = float((determinant[inside] <= 0).mean())
    return Refinement(
        _voxels(field), torch.from_numpy(_array(warped)), (before, after), folding,
        judge(before, after, folding), time.perf_counter() - began,
    )  # fmt: skip


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


def _image(volume: torch.Tensor, spacing: Sequence[float]) -> sitk.Image:
    """Slices (H, W, D) as an upright volume."""
    array = volume.movedim(-1, 0).cpu().numpy()
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    rows, columns, slices = (float(value) for value in spacing)
    image.SetSpacing((columns, rows, slices))
    return image


def _array(image: sitk.Image) -> np.ndarray:
    """Slices (H, W, D) of an upright volume."""
    return np.ascontiguousarray(np.moveaxis(sitk.GetArrayFromImage(image), 0, -1))


def _voxels(field: sitk.Image) -> torch.Tensor:
    """An upright volume's field in mm as (3, H, W, D) in voxels: slice, row, column."""
    steps = sitk.GetArrayFromImage(field) / field.GetSpacing()  # (D, H, W, xyz)
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(steps[..., ::-1], (3, 0), (0, 3))))


def _resampled(moving: sitk.Image, transform: sitk.Transform) -> sitk.Image:
    return sitk.Resample(moving, moving, transform, sitk.sitkLinear, 0.0)
