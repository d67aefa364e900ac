"""Read the linear transform from which a user wants the start to be found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.geometry.transform import as_matrix

KINDS = (".tfm", ".txt", ".h5", ".mat", ".hdf5", ".xfm")
"""Endings of ITK's files of transforms."""


def read_initial_transform(path: str | Path) -> np.ndarray:
    """Read a linear ITK transform, as ITK, ANTs and 3D Slicer write it.

    Args:
        path: .tfm, .txt, .h5 or .mat.

    Returns:
        (4, 4) matrix, millimetres, LPS, fixed to moving points.

    Raises:
        InputError: there is no such file, it holds no transform of ITK's, or one that is not
            linear, not of three dimensions, mirrors, or cannot be inverted.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path of the initial transform")
    if path.suffix.lower() not in KINDS:
        raise InputError(
            f"{path}: has no suffix of a linear ITK transform; give a .tfm, .txt, .h5 or .mat file"
        )
    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise InputError(
            f"{path}: cannot be read as an ITK transform; save it with ITK, ANTs or 3D Slicer"
        ) from error
    if transform.GetDimension() != 3:
        raise InputError(
            f"{path}: holds a transform of {transform.GetDimension()} dimensions; give one of three"
        )
    if not transform.IsLinear():
        raise InputError(
            f"{path}: holds a {transform.GetName()}, which is not linear; give a linear one"
        )
    matrix = as_matrix(transform)
    if not np.isfinite(matrix).all() or not np.linalg.det(matrix[:3, :3]) > 1e-3:
        raise InputError(f"{path}: contains a reflection or has no inverse; give another transform")
    return matrix
