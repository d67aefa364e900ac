"""The grid of a volume: straight axes, and a size that a head can have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError, Remark

STRAIGHT = 0.1
"""Millimetres by which straightening the axes may move a corner of a volume."""

TOLD = 0.01
"""Millimetres from which on such a move is told."""

FLAT = 1e-6
"""Volume that the unit steps along the axes of a singular affine span at most."""

THINNEST, NARROWEST, SMALLEST, SMALL, WIDE, LARGEST = 1.0, 10.0, 20.0, 100.0, 1000.0, 2500.0
"""Millimetres: smallest, second largest and largest side of a field of view that holds any of a
head, largest of one that holds a whole one; second largest and largest side of a scan of a whole
body."""

MOST = 2**30
"""Voxels of a volume that is read: as float32 they take 4 GiB."""

STATE = 'state them: --spacing X Y Z ("spacing" in a list)'
"""What to do where a header does not say how large the voxels are."""


def on_grid(values: np.ndarray, affine: np.ndarray, name: str) -> sitk.Image:
    """An array and its affine as SimpleITK holds them; the axes stay as they are.

    Args:
        values: (X, Y, Z), numbers.
        affine: (4, 4), voxels to millimetres, LPS.
        name: of the image, for messages.

    Raises:
        InputError: the affine is singular or not finite.
    """
    require_affine(name, affine)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.T, dtype=np.float32))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    return image


def require_affine(name: str, affine: np.ndarray) -> None:
    """Refuse an affine (4, 4) that is singular or not finite.

    Raises:
        InputError: it is.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    usable = np.isfinite(affine).all() and np.isfinite(spacing).all() and spacing.all()
    if not usable or abs(np.linalg.det(affine[:3, :3] / spacing)) < FLAT:
        raise InputError(f"{name}: has an affine that is singular or not finite; correct it")


def straightened(name: str, image: sitk.Image) -> tuple[sitk.Image, list[Remark]]:
    """The image on the nearest grid with perpendicular axes, about the same centre.

    Directions that were stored with a few digits are skewed a little, and ITK's results need
    perpendicular ones. The nearest orthonormal matrix is the polar factor of the direction.

    Args:
        name: of the image, for messages.
        image: 3D.

    Returns:
        the image, unchanged where its axes are perpendicular already; and a note if a corner
        moved visibly.

    Raises:
        InputError: the geometry is not finite, or a corner would move by more than ``STRAIGHT``.
    """
    geometry = [*image.GetDirection(), *image.GetOrigin(), *image.GetSpacing()]
    if not np.isfinite(geometry).all() or min(image.GetSpacing()) <= 0:
        raise InputError(f"{name}: has an affine that is singular or not finite; correct it")
    axes = np.reshape(image.GetDirection(), (3, 3))
    if np.abs(axes.T @ axes - np.eye(3)).max() < 1e-9:
        return image, []
    left, _, right = np.linalg.svd(axes)
    straight = left @ right
    steps = axes * image.GetSpacing()
    spacing = np.einsum("ij,ij->j", straight, steps)
    half = (np.array(image.GetSize()) - 1) / 2
    corners = half[:, None] * (np.indices((2, 2, 2)).reshape(3, -1) * 2 - 1)
    moved = np.linalg.norm((steps - straight * spacing) @ corners, axis=0).max()
    if not moved <= STRAIGHT or spacing.min() <= 0:
        raise InputError(
            f"{name}: the axes of its voxels are not perpendicular, which NIfTI results cannot "
            "hold; resample it to a straight grid"
        )
    result = sitk.Image(image)
    result.SetSpacing(spacing.tolist())
    result.SetDirection(straight.ravel().tolist())
    shift = (steps - straight * spacing) @ half
    result.SetOrigin((np.array(image.GetOrigin()) + shift).tolist())
    return result, straightened_by(float(moved))


def straightened_by(moved: float) -> list[Remark]:
    """What is said of axes that were made perpendicular: a warning if they were not just rounded.

    Args:
        moved: mm by which a corner moved.
    """
    if moved <= TOLD:
        return []
    text = f"axes not quite perpendicular: straightened, by {moved:.2f} mm at most"
    return [Remark("straightened", text, warning=moved > STRAIGHT)]


def require_plausible(name: str, size: Sequence[int], spacing: Sequence[float]) -> None:
    """Refuse what no scan of a head can be; meant for headers, before anything is allocated.

    Args:
        name: of the image, for messages.
        size: voxels along three axes.
        spacing: mm, likewise.

    Raises:
        InputError: the field of view is too small or too large, or has too many voxels.
    """
    if np.prod(np.array(size, dtype=np.float64)) > MOST:
        raise InputError(
            f"{name}: has {' x '.join(map(str, size))} voxels; resample it to about 1 mm"
        )
    sides = np.array(size, dtype=np.float64) * np.array(spacing)
    shown = " x ".join(f"{side:.3g}" for side in sides)
    smallest, second, largest = np.sort(sides)
    small = largest < SMALLEST or second < NARROWEST or smallest < THINNEST
    if small or second > WIDE or largest > LARGEST:
        raise InputError(
            f"{name}: its field of view is {shown} mm by its header, but a head is 100 to 350 mm; "
            "correct the voxel size and its unit"
        )


def size_remarks(image: sitk.Image) -> list[Remark]:
    """Warn of a field of view that is smaller than a head."""
    sides = np.array(image.GetSize()) * np.array(image.GetSpacing())
    if sides.max() >= SMALL:
        return []
    shown = " x ".join(f"{side:.0f}" for side in sides)
    text = f"its field of view is {shown} mm, but a head is 100 to 350 mm: check its voxel size"
    return [Remark("small_field_of_view", text)]
