"""The 3D start: bring two volumes together in space before the network sees their slices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.volumes.similarity import BINS, mutual_information

INITS = ("none", "center", "rigid", "affine")
COARSE = 3.0
"""Voxel size in mm on which the start is found: ample for rotation and translation."""

GAIN = 1.01
"""A start has to raise the mutual information by this factor, else the headers are trusted."""


def find_start(fixed: sitk.Image, moving: sitk.Image, init: str = "rigid") -> np.ndarray:
    """Find where the fixed volume's points lie in the moving volume.

    ``none`` trusts the headers; ``center`` puts the volumes' middles onto each other; ``rigid``
    and ``affine`` go on from the headers or from the centres of mass, whichever matches
    better, by Mattes mutual information (Mattes et al., IEEE TMI 2003) from coarse to fine. A
    result that does not match better than the headers is dropped. The same volumes give the
    same start, whatever the order in which their axes are stored.

    Args:
        fixed: the reference volume.
        moving: the volume to register.
        init: one out of ``INITS``.

    Returns:
        (4, 4) affine matrix, millimetres, LPS, fixed to moving points (pull-back).

    Raises:
        InputError: ``init`` is unknown, or the volumes share no space.
    """
    if init not in INITS:
        raise InputError(f"init: {init!r} is none of {', '.join(INITS)}")
    centred = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.GEOMETRY
    )
    if init == "center":
        return as_matrix(centred)
    identity = sitk.Euler3DTransform()
    if not overlap(fixed, moving) > 0:
        raise InputError(
            "the volumes share no space in scanner coordinates; correct a header, or put their "
            "middles onto each other with init center"
        )
    if init == "none":
        return np.eye(4)
    coarse_fixed, coarse_moving = _coarse(fixed), _coarse(moving)
    mass = sitk.Euler3DTransform(
        sitk.CenteredTransformInitializer(
            coarse_fixed,
            coarse_moving,
            sitk.Euler3DTransform(),
            sitk.CenteredTransformInitializerFilter.MOMENTS,
        )
    )
    identity.SetCenter(mass.GetCenter())
    candidates = [_optimised(coarse_fixed, coarse_moving, t, init) for t in (identity, mass)]
    matched = [similarity(coarse_fixed, coarse_moving, t) for t in candidates]
    best = int(np.argmax(matched))
    if matched[best] < GAIN * similarity(coarse_fixed, coarse_moving, identity):
        return np.eye(4)
    return as_matrix(candidates[best])


def overlap(fixed: sitk.Image, moving: sitk.Image) -> float:
    """Share of the fixed volume's voxels that lie inside the moving volume by the headers."""
    ones = sitk.Image(moving.GetSize(), sitk.sitkUInt8) + 1
    ones.CopyInformation(moving)
    grid = _resampled(fixed, COARSE)
    inside = sitk.Resample(ones, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    return float(sitk.GetArrayViewFromImage(inside).mean())


def similarity(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> float:
    """Mutual information of two volumes on the scale 0 to 1 under a transform."""
    resampled = sitk.Resample(moving, fixed, transform, sitk.sitkLinear, 0.0)
    return mutual_information(
        sitk.GetArrayViewFromImage(fixed), sitk.GetArrayViewFromImage(resampled)
    )


def as_matrix(transform: sitk.Transform) -> np.ndarray:
    """The (4, 4) matrix of a linear transform, millimetres, LPS."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    matrix = np.eye(4)
    matrix[:3, 3] = origin
    for axis in range(3):
        point = [0.0, 0.0, 0.0]
        point[axis] = 1.0
        matrix[:3, axis] = np.array(transform.TransformPoint(point)) - origin
    return matrix


def as_transform(matrix: np.ndarray | Sequence[Sequence[float]]) -> sitk.AffineTransform:
    """The ITK transform of a (4, 4) matrix, millimetres, LPS."""
    matrix = np.asarray(matrix, dtype=np.float64)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform


def _optimised(
    fixed: sitk.Image, moving: sitk.Image, start: sitk.Euler3DTransform, init: str
) -> sitk.Transform:
    transform: sitk.Transform = sitk.Euler3DTransform(start)
    if init == "affine":
        transform = sitk.AffineTransform(3)
        transform.SetCenter(start.GetCenter())
        transform.SetTranslation(start.GetTranslation())
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetNumberOfThreads(1)  # sums in one order: the same volumes give the same start
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 150, 0.6, 1e-8)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([3, 2, 1])
    method.SetSmoothingSigmasPerLevel([6.0, 3.0, 0.0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError:  # the samples left the moving volume: this start leads nowhere
        return sitk.Euler3DTransform(start)
    return transform


def _coarse(volume: sitk.Image) -> sitk.Image:
    """Coarse, upright, robustly scaled to 0 to 1: what the metric works on."""
    small = _resampled(sitk.DICOMOrient(volume, "LPS"), COARSE)
    values = sitk.GetArrayViewFromImage(small)
    lowest, highest = np.percentile(values, [2.0, 99.5])
    if not lowest < highest:
        lowest, highest = float(values.min()), float(values.max())
    return sitk.Clamp((small - lowest) / (highest - lowest), sitk.sitkFloat32, 0.0, 1.0)


def _resampled(volume: sitk.Image, spacing: float) -> sitk.Image:
    """The volume low-passed, on a grid of about this spacing; finer axes only, coarser stay."""
    old, size = np.array(volume.GetSpacing()), np.array(volume.GetSize())
    factors = [int(max(1, min(round(spacing / s), n // 8))) for s, n in zip(old, size, strict=True)]
    return sitk.BinShrink(sitk.Cast(volume, sitk.sitkFloat32), factors)
