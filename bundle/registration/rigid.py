"""The 3D start: bring two volumes together in space before the network sees their slices."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.geometry.head import COARSE, cropped, find_head, shrunk, widened
from bundle.geometry.transform import as_matrix, as_transform
from bundle.registration.one_thread import one_thread
from bundle.registration.similarity import BINS, mutual_information

RIM = 9.0
"""Millimetres around the head that count: its outline is what tells most."""

GAIN = 1.01
"""A start has to raise the mutual information by this factor, else the headers are trusted."""


def find_start(fixed: sitk.Image, moving: sitk.Image, init: str = "rigid") -> np.ndarray:
    """Find where the fixed volume's points lie in the moving volume.

    ``none`` trusts the headers; ``center`` puts the volumes' middles onto each other; ``rigid``
    and ``affine`` go on from the headers or from the centres of mass, whichever matches
    better, by Mattes mutual information (Mattes et al., IEEE TMI 2003) in and around the fixed
    head, from coarse to fine: background, of which a larger field of view has more, does not
    count. A result that does not match better than the headers is dropped. The same volumes
    give the same start, whatever the order in which their axes are stored.

    Args:
        fixed: the reference volume.
        moving: the volume to register.
        init: none, center, rigid or affine.

    Returns:
        (4, 4) affine matrix, millimetres, LPS, fixed to moving points (pull-back).

    Raises:
        InputError: the volumes share no space.
    """
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
    (coarse_fixed, head), (coarse_moving, moving_head) = _coarse(fixed), _coarse(moving)
    near = widened(head, RIM)
    # all grids of the search begin at the head and not at the rim of the field of view
    coarse_fixed, head, near = (cropped(volume, near) for volume in (coarse_fixed, head, near))
    mass = sitk.Euler3DTransform(
        sitk.CenteredTransformInitializer(
            sitk.Cast(head, sitk.sitkFloat32),
            sitk.Cast(moving_head, sitk.sitkFloat32),
            sitk.Euler3DTransform(),
            sitk.CenteredTransformInitializerFilter.MOMENTS,
        )
    )
    identity.SetCenter(mass.GetCenter())
    starts = (identity, mass)
    with one_thread():
        candidates = [_optimised(coarse_fixed, coarse_moving, near, t, init) for t in starts]
    matched = [similarity(coarse_fixed, coarse_moving, near, t) for t in candidates]
    best = int(np.argmax(matched))
    if matched[best] < GAIN * similarity(coarse_fixed, coarse_moving, near, identity):
        return np.eye(4)
    return as_matrix(candidates[best])


def overlap(fixed: sitk.Image, moving: sitk.Image, start: np.ndarray | None = None) -> float:
    """Share of the fixed volume's voxels that lie inside the moving volume.

    Args:
        fixed: the reference volume; if it is a mask (uint8), only its voxels count.
        moving: the volume to register.
        start: (4, 4), millimetres, LPS, fixed to moving points; by default the headers count.
    """
    ones = sitk.Image(moving.GetSize(), sitk.sitkUInt8) + 1
    ones.CopyInformation(moving)
    transform = sitk.Transform() if start is None else as_transform(start)
    inside = sitk.Resample(ones, fixed, transform, sitk.sitkNearestNeighbor, 0)
    covered = sitk.GetArrayViewFromImage(inside)
    if fixed.GetPixelID() == sitk.sitkUInt8:
        covered = covered[sitk.GetArrayViewFromImage(fixed) > 0]
    return float(covered.mean())


def similarity(
    fixed: sitk.Image, moving: sitk.Image, where: sitk.Image, transform: sitk.Transform
) -> float:
    """Mutual information of two volumes on the scale 0 to 1 under a transform, in a mask."""
    resampled = sitk.Resample(moving, fixed, transform, sitk.sitkLinear, 0.0)
    arrays = [sitk.GetArrayViewFromImage(volume) for volume in (fixed, resampled, where)]
    return mutual_information(arrays[0], arrays[1], arrays[2] > 0)


def _optimised(
    fixed: sitk.Image,
    moving: sitk.Image,
    where: sitk.Image,
    start: sitk.Euler3DTransform,
    init: str,
) -> sitk.Transform:
    transform: sitk.Transform = sitk.Euler3DTransform(start)
    if init == "affine":
        transform = sitk.AffineTransform(3)
        transform.SetCenter(start.GetCenter())
        transform.SetTranslation(start.GetTranslation())
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(where)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 150, 0.6, 1e-8)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([3, 2, 1])
    method.SetSmoothingSigmasPerLevel([6.0, 3.0, 0.0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(_four_slices(fixed), _four_slices(moving))
    except RuntimeError:  # the samples left the moving volume: this start leads nowhere
        return sitk.Euler3DTransform(start)
    return transform


def _four_slices(volume: sitk.Image) -> sitk.Image:
    """Repeat the outer slices of a thin volume: ITK smooths four at least."""
    lacking = [max(0, 4 - size) for size in volume.GetSize()]
    return sitk.ZeroFluxNeumannPad(volume, [n // 2 for n in lacking], [-(-n // 2) for n in lacking])


def _coarse(volume: sitk.Image) -> tuple[sitk.Image, sitk.Image]:
    """Coarse, upright, robustly scaled to 0 to 1: what the metric works on; and its head."""
    small = shrunk(sitk.DICOMOrient(volume, "LPS"), COARSE)
    head = find_head(small)
    values = sitk.GetArrayViewFromImage(small)
    inside = values[sitk.GetArrayViewFromImage(head) > 0]
    lowest, highest = float(np.percentile(values, 2.0)), float(np.percentile(inside, 99.5))
    if not lowest < highest:
        lowest, highest = float(values.min()), float(values.max())
    return sitk.Clamp((small - lowest) / (highest - lowest), sitk.sitkFloat32, 0.0, 1.0), head
