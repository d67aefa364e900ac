"""Images that are in memory already: nibabel's and MONAI's, as SimpleITK holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
from monai.data import MetaTensor
from monai.utils import MetaKeys, SpaceKeys

from bundle.errors import InputError
from bundle.images.nifti import unit_mm

TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From RAS, which nibabel and MONAI count in, and back."""

FLAT = 1e-6
"""Volume that the unit steps along the axes of a singular affine span at most."""


def from_nibabel(image: Any, name: str) -> sitk.Image:
    """A nibabel image, by its affine.

    Args:
        image: a ``nibabel.spatialimages.SpatialImage`` of three or four axes.
        name: of the image, for messages.

    Raises:
        InputError: it has other axes, no scalar values or no affine, or its affine is singular or
            not finite.
    """
    if len(image.shape) not in (3, 4):
        raise InputError(f"{name}: has the shape {image.shape}; give a volume (X, Y, Z)")
    if image.affine is None:
        raise InputError(f"{name}: has no affine; give it one")
    affine = np.diag([unit_mm(image.header)] * 3 + [1.0]) @ image.affine
    return _on_grid(np.asanyarray(image.dataobj), TO_LPS @ affine, name)


def from_metatensor(image: MetaTensor, name: str) -> sitk.Image:
    """A MONAI volume (1, X, Y, Z), by its affine.

    Args:
        image: channel first, as ``LoadImaged`` with ``EnsureChannelFirstd`` gives it.
        name: of the image, for messages.

    Raises:
        InputError: it has several channels or is no volume; its affine is singular.
    """
    if image.ndim != 4 or image.shape[0] != 1:
        raise InputError(
            f"{name}: is a MetaTensor of shape {tuple(image.shape)}; give a volume (1, X, Y, Z), "
            "or a picture as an array (H, W) or (H, W, 3)"
        )
    affine = np.asarray(image.affine, dtype=np.float64)
    if image.meta.get(MetaKeys.SPACE) != SpaceKeys.LPS:
        affine = TO_LPS @ affine
    return _on_grid(image[0].detach().cpu().numpy(), affine, name)


def _on_grid(values: np.ndarray, affine: np.ndarray, name: str) -> sitk.Image:
    """An array (X, Y, Z[, T]) and its affine, voxels to mm in LPS."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    usable = np.isfinite(affine).all() and spacing.all()
    if not usable or abs(np.linalg.det(affine[:3, :3] / spacing)) < FLAT:
        raise InputError(f"{name}: has an affine that is singular or not finite; correct it")
    if values.ndim == 4:
        frames = [_on_grid(frame, affine, name) for frame in np.moveaxis(values, -1, 0)]
        return sitk.JoinSeries(frames)
    if np.iscomplexobj(values):
        raise InputError(f"{name}: holds complex numbers; give its magnitude")
    if values.dtype.fields is not None:
        raise InputError(f"{name}: holds several values per voxel; give a scalar volume")
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.T.astype(np.float64)))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    return image
