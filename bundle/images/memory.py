"""Images that are in memory already: nibabel's and MONAI's, as SimpleITK holds them."""

from __future__ import annotations

from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk
from monai.data import MetaTensor
from monai.utils import MetaKeys, SpaceKeys

from bundle.errors import InputError, Remark
from bundle.images.frames import Choose, picked
from bundle.images.grid import on_grid, require_affine
from bundle.images.nifti_forms import TO_LPS, affine_of, unit_mm


def from_nibabel(image: Any, name: str, choose: Choose) -> tuple[sitk.Image, list[Remark]]:
    """A nibabel image, by its affine, and what is odd about its header.

    Args:
        image: a ``nibabel.spatialimages.SpatialImage`` of three or four axes.
        name: of the image, for messages.
        choose: which frame is wanted; called if it is 4D.

    Raises:
        InputError: it has other axes, no scalar values or no affine, or its affine is singular or
            not finite; its header contradicts itself.
    """
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) not in (3, 4):
        raise InputError(f"{name}: has the shape {image.shape}; give a volume (X, Y, Z)")
    if image.affine is None:
        raise InputError(f"{name}: has no affine; give it one")
    affine = TO_LPS @ np.diag([unit_mm(name, image.header)] * 3 + [1.0]) @ image.affine
    require_affine(name, affine)
    remarks: list[Remark] = []
    if isinstance(image, nibabel.nifti1.Nifti1Pair):
        stated, remarks = affine_of(name, image.header)
        declared = int(image.header["sform_code"]) or int(image.header["qform_code"])
        affine = stated if declared else affine
    values = np.asanyarray(image.dataobj).reshape(shape)
    values = picked(values, choose(shape[3])) if len(shape) == 4 else values
    return _scalar_on_grid(values, affine, name), remarks


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
    return _scalar_on_grid(image[0].detach().cpu().numpy(), affine, name)


def _scalar_on_grid(values: np.ndarray, affine: np.ndarray, name: str) -> sitk.Image:
    """An array (X, Y, Z) and its affine, voxels to mm in LPS."""
    if np.iscomplexobj(values):
        raise InputError(f"{name}: holds complex numbers; give its magnitude")
    if values.dtype.fields is not None:
        raise InputError(f"{name}: holds several values per voxel; give a scalar volume")
    return on_grid(values, affine, name)
