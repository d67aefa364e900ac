"""A displacement field in three dimensions, from the network's fields in three planes.

The network registers pictures. A component of the displacement is seen in two of the three planes;
both estimates count by how little the network's ten fields differ there. The slices of a plane lie
6 mm apart: closer ones change the mean error by 0.01 mm (measured on whole heads).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from bundle.geometry.frame import head_frame
from bundle.geometry.jacobian import volume_determinant
from bundle.geometry.slices import in_plane_of
from bundle.networks import device_of
from bundle.registration.network_field import NetworkField
from bundle.registration.slicewise import SLICES, framed_fields

VOXEL = 2.0
"""Voxel size in mm of the field and of the volumes that are cut."""

MOST = 2e7
"""Voxels of the volumes that are cut; of a larger field of view the voxels grow."""

STEP = 6.0
"""Millimetres between the slices of a plane."""

SMOOTHED = 5.0
"""Width in mm of the Gaussian over the field: neighbouring slices were registered separately."""

LEAST = 0.1
"""Jacobian determinant that a field keeps everywhere."""

PLAIN = 1.0
"""mm that are added to the spread, so that no estimate counts alone."""

COMPONENTS = {
    "axial": ((0, "y", 1.0), (1, "x", 1.0)),
    "coronal": ((0, "z", -1.0), (1, "x", 1.0)),
    "sagittal": ((0, "z", -1.0), (1, "y", 1.0)),
}
"""Per plane: channel of its field (rows, columns), body axis in LPS, and sign."""


def three_plane_field(
    image: torch.Tensor, head: torch.Tensor, grid: sitk.Image, network: Any
) -> NetworkField:
    """Register the axial, coronal and sagittal slices of a volume.

    Args:
        image: (2, H, W, D) in [0, 1], axial slices of the fixed and of the moving volume, rows
            from front to back, columns from right to left, slices upwards.
        head: (1, H, W, D), not 0 in the head.
        grid: the fixed volume.
        network: see :class:`bundle.networks.BiMSRec`; its method ``all_fields`` is used, or
            ``register``, whose estimates then all count alike.

    Returns:
        the field on a grid of about 2 mm that covers the fixed volume; its Jacobian determinant is
        ``LEAST`` or more everywhere.
    """
    oriented = sitk.DICOMOrient(grid, "LPS")
    sides = [n * s for n, s in _sides(oriented)]
    voxel = max(VOXEL, (np.prod(sides) / MOST) ** (1 / 3))
    size = [max(2, round(side / voxel)) for side in sides]
    small = _resized(image, size)
    inside = _resized(head.float(), size) > 0.5
    inside = inside if inside.any() else torch.ones_like(inside)
    spacing = [n * s / m for (n, s), m in zip(_sides(oriented), size, strict=True)]
    displacement, variance = _combined(small, inside, spacing, network)
    widths = [SMOOTHED / step for step in spacing]
    smooth = np.stack([gaussian_filter(part.numpy(), widths) for part in displacement])
    uncertain = np.sqrt(gaussian_filter(variance.numpy(), widths))
    coarse = _coarse_grid(oriented, size)
    field = without_folds(_vectors(smooth, coarse))
    return NetworkField(field, _scalar(uncertain, coarse), tuple(COMPONENTS))


def without_folds(field: sitk.Image) -> sitk.Image:
    """Smooth a field until its Jacobian determinant is at least ``LEAST`` everywhere.

    Args:
        field: ITK displacement field, millimetres, LPS, pull-back.
    """
    width = 1.0
    while sitk.GetArrayFromImage(volume_determinant(field)).min() < LEAST:
        sigma = width * min(field.GetSpacing())
        widths = [sigma / step for step in reversed(field.GetSpacing())]
        vectors = gaussian_filter(sitk.GetArrayFromImage(field), [*widths, 0])  # ITK: >= 4 voxels
        smooth = sitk.GetImageFromArray(vectors, isVector=True)
        smooth.CopyInformation(field)
        field, width = smooth, width * 1.5
    return field


def _combined(
    image: torch.Tensor, head: torch.Tensor, spacing: Sequence[float], network: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Displacement (3: x, y, z; H, W, D) in mm along the axes; variance (H, W, D) in mm^2."""
    shape = image.shape[1:]
    weight, total, squares, own = (torch.zeros(3, *shape) + offset for offset in (1e-9, 0, 0, 0))
    for plane, parts in COMPONENTS.items():
        found = _plane_fields(image, head, spacing, network, plane)
        for channel, axis, sign in parts:
            k = "xyz".index(axis)
            estimate = sign * in_plane_of(found[channel][None], plane, "axial")[0]
            variance = in_plane_of(found[2 + channel][None], plane, "axial")[0] ** 2
            share = 1 / (variance + PLAIN**2)
            weight[k] += share
            total[k] += share * estimate
            squares[k] += share * estimate**2
            own[k] += share * variance
    mean = total / weight
    variance = (squares / weight - mean**2).clamp(min=0) + own / weight
    return mean, variance.sum(dim=0)


def _plane_fields(
    image: torch.Tensor, head: torch.Tensor, spacing: Sequence[float], network: Any, plane: str
) -> torch.Tensor:
    """Fields and spreads of a plane's slices, (4, h, w, d) mm: row, column, and the same again."""
    slices = in_plane_of(image, "axial", plane)
    inside = in_plane_of(head, "axial", plane)[0]
    along = dict(zip("yxz", spacing, strict=True))
    rows, columns, normal = (along[axis] for axis in {"axial": "yxz", "coronal": "zxy",
                                                      "sagittal": "zyx"}[plane])  # fmt: skip
    shown = inside.flatten(0, 1).any(dim=0).nonzero().flatten()
    first, last = int(shown[0]), int(shown[-1])
    count = max(2, round((last - first) * normal / STEP) + 1)
    chosen = torch.linspace(first, last, count).round().long().unique()
    box, device = head_frame(inside, (rows, columns)), device_of(network)
    parts = [
        framed_fields(slices[..., places].permute(3, 0, 1, 2).to(device), network, box)
        for places in chosen.split(SLICES)
    ]
    found = torch.cat(parts).cpu().permute(1, 2, 3, 0)
    if len(found) == 2:
        found = torch.cat([found, torch.zeros_like(found)])
    steps = torch.tensor([rows, columns, rows, columns]).view(4, 1, 1, 1)
    return _between(found * steps, chosen, slices.shape[-1])


def _between(fields: torch.Tensor, places: torch.Tensor, count: int) -> torch.Tensor:
    """Fields (C, h, w, n) of some slices interpolated to all; beyond the outermost they go on."""
    if len(places) == 1:
        return fields.expand(*fields.shape[:3], count)
    wanted = torch.arange(count).clamp(int(places[0]), int(places[-1]))
    above = torch.searchsorted(places, wanted, right=True).clamp(1, len(places) - 1)
    share = (wanted - places[above - 1]) / (places[above] - places[above - 1])
    return torch.lerp(fields[..., above - 1], fields[..., above], share)


def _sides(oriented: sitk.Image) -> list[tuple[int, float]]:
    """Voxels and their size along rows, columns and slices of the axial slices: y, x, z."""
    sizes, spacing = oriented.GetSize(), oriented.GetSpacing()
    return [(sizes[axis], spacing[axis]) for axis in (1, 0, 2)]


def _resized(volume: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """(C, H, W, D) at another size, with voxel edges as the common frame; means when shrinking."""
    shrunk = [min(new, old) for new, old in zip(size, volume.shape[1:], strict=True)]
    mean = functional.interpolate(volume[None].float(), shrunk, mode="area")
    if shrunk == list(size):
        return mean[0]
    return functional.interpolate(mean, list(size), mode="trilinear", align_corners=False)[0]


def _coarse_grid(oriented: sitk.Image, size: Sequence[int]) -> sitk.Image:
    """An empty volume of the same extent in ``size`` voxels (rows, columns, slices)."""
    counts = [size[1], size[0], size[2]]
    old = np.array(oriented.GetSpacing())
    spacing = old * oriented.GetSize() / counts
    direction = np.reshape(oriented.GetDirection(), (3, 3))
    coarse = sitk.Image(counts, sitk.sitkUInt8)
    coarse.SetSpacing(spacing.tolist())
    coarse.SetDirection(oriented.GetDirection())
    coarse.SetOrigin((oriented.GetOrigin() + direction @ ((spacing - old) / 2)).tolist())
    return coarse


def _vectors(displacement: np.ndarray, grid: sitk.Image) -> sitk.Image:
    """Displacements (3: x, y, z; H, W, D) along the grid's axes as a field in LPS."""
    direction = np.reshape(grid.GetDirection(), (3, 3))
    vectors = np.moveaxis(displacement, (0, 3), (3, 0)) @ direction.T  # (D, H, W, xyz)
    field = sitk.GetImageFromArray(np.ascontiguousarray(vectors, np.float64), isVector=True)
    field.CopyInformation(grid)
    return field


def _scalar(values: np.ndarray, grid: sitk.Image) -> sitk.Image:
    """Values (H, W, D) on the grid."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(np.moveaxis(values, 2, 0), np.float32))
    image.CopyInformation(grid)
    return image
