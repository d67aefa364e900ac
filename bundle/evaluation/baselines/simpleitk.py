"""SimpleITK: affine, then B-spline, by Mattes mutual information inside the head."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch

from bundle.evaluation.baselines.head import optimiser_mask
from bundle.geometry.transform import displacement_field
from bundle.registration.one_thread import one_thread

BINS = 32
SHRINK, SMOOTH = (4, 2), (2.0, 1.0)
MESH = 8  # B-spline control cells per side: 32 px of 256


def affine_bspline(fixed: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
    """Register a moving onto a fixed picture, on one thread: equal pictures, equal fields.

    Args:
        fixed: (1, 1, H, W), luma 0 to 255.
        moving: as ``fixed``.

    Returns:
        ddf (1, 2, H, W), float32, voxels, ij, pull-back: ``warped(x) = moving(x + ddf(x))``;
        0 where the optimiser fails (a blank picture).
    """
    fixed_image, moving_image = (
        sitk.GetImageFromArray(image[0, 0].cpu().numpy().astype(np.float32))
        for image in (fixed, moving)
    )
    mask = sitk.GetImageFromArray(optimiser_mask(fixed).astype(np.uint8))
    transform = sitk.CompositeTransform(2)
    try:
        with one_thread():
            affine = _affine(fixed_image, moving_image, mask)
            transform.AddTransform(affine)
            transform.AddTransform(_bspline(fixed_image, moving_image, mask, affine))
    except RuntimeError:  # ITK: no overlap, or nothing to take a histogram of
        return torch.zeros(1, 2, *fixed.shape[-2:])
    field = sitk.GetArrayFromImage(displacement_field(transform, fixed_image))  # (H, W, xy)
    return torch.from_numpy(np.moveaxis(field[..., ::-1], -1, 0).copy())[None]


def _affine(fixed: sitk.Image, moving: sitk.Image, mask: sitk.Image) -> sitk.Transform:
    registration = _method(mask)
    registration.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0, minStep=1e-3, numberOfIterations=100
    )
    registration.SetOptimizerScalesFromPhysicalShift()
    start = sitk.AffineTransform(2)
    start.SetCenter([(size - 1) / 2 for size in fixed.GetSize()])
    registration.SetInitialTransform(start, inPlace=True)
    registration.Execute(fixed, moving)
    return start


def _bspline(
    fixed: sitk.Image, moving: sitk.Image, mask: sitk.Image, affine: sitk.Transform
) -> sitk.Transform:
    registration = _method(mask)
    registration.SetMovingInitialTransform(affine)
    registration.SetOptimizerAsLBFGSB(gradientConvergenceTolerance=1e-5, numberOfIterations=50)
    start = sitk.BSplineTransformInitializer(fixed, [MESH, MESH])
    registration.SetInitialTransform(start, inPlace=True)
    registration.Execute(fixed, moving)
    return start


def _method(mask: sitk.Image) -> sitk.ImageRegistrationMethod:
    """All pixels of the mask, so that nothing is drawn at random; coarse to fine."""
    registration = sitk.ImageRegistrationMethod()
    registration.SetMetricAsMattesMutualInformation(BINS)
    registration.SetMetricFixedMask(mask)
    registration.SetMetricSamplingStrategy(registration.NONE)
    registration.SetInterpolator(sitk.sitkLinear)
    registration.SetShrinkFactorsPerLevel(SHRINK)
    registration.SetSmoothingSigmasPerLevel(SMOOTH)
    return registration
