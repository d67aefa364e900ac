"""The grid of the results: the fixed volume's own, or one of another resolution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk
import torch
from scipy.ndimage import gaussian_filter

from bundle.geometry.grid import at_resolution
from bundle.geometry.slices import from_slices, to_slices
from bundle.geometry.transform import as_transform, onto, resample
from bundle.images.display import displayed
from bundle.registration.masked import Masked, counted
from bundle.registration.pairs import InitializedPair

WIDTH = 2.355
"""Of a Gaussian: full width at half maximum in standard deviations."""


def on_output_grid(initial: InitializedPair, resolution: float | None) -> InitializedPair:
    """Bring a registered pair to the grid of the results; the registration does not depend on it.

    Args:
        initial: on the fixed volume's own grid.
        resolution: side in mm of the voxels; None: the pair stays as it is.

    Returns:
        the pair with a fixed volume, a head and slices of that resolution, in the same windows.
    """
    if resolution is None:
        return initial
    pair, own = initial.pair, initial.pair.fixed.image
    grid = at_resolution(own, resolution)
    mask = pair.masks[0]
    masks = (None if mask is None else _nearest(mask, grid), pair.masks[1])
    fixed = replace(pair.fixed, image=coarsened(own, grid))
    pair = replace(pair, fixed=fixed, masks=masks)
    head = sitk.Cast(from_slices(initial.head.float(), own, pair.plane) > 0.5, sitk.sitkUInt8)
    slices = to_slices(_nearest(head, grid), pair.plane).to(torch.uint8)
    start = as_transform(initial.start)
    volumes = (fixed.image, resample(pair.moving.image, grid, start))
    image = torch.cat([
        displayed(to_slices(volume, pair.plane), window)
        for volume, window in zip(volumes, initial.windows, strict=True)
    ])  # fmt: skip
    masked = initial.masked and Masked(image, initial.moving, counted(slices, pair, start))
    return replace(initial, pair=pair, head=slices, image=image, masked=masked)


def coarsened(volume: sitk.Image, grid: sitk.Image) -> sitk.Image:
    """A volume on a grid of the same orientation: low-passed along the axes that get coarser.

    Args:
        volume: scalar, 3D.
        grid: see :func:`bundle.geometry.grid.at_resolution`.

    Returns:
        float64; beyond the volume's border its outermost values go on.
    """
    old, new = (np.array(one.GetSpacing()[::-1]) for one in (volume, grid))
    widths = np.sqrt(np.maximum(0.0, new**2 - old**2)) / WIDTH / old
    smooth = sitk.GetImageFromArray(gaussian_filter(sitk.GetArrayFromImage(volume), widths))
    smooth.CopyInformation(volume)
    return sitk.Cast(onto(smooth, grid), sitk.sitkFloat64)


def _nearest(mask: sitk.Image, grid: sitk.Image) -> sitk.Image:
    return sitk.Resample(mask, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
