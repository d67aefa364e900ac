"""Read the linear transform from which a user wants the start to be found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.geometry.transform import as_matrix
from bundle.geometry.transform_file import read_itk_transform
from bundle.images.matrix_files import read_fsl, read_lta

KINDS = (".tfm", ".txt", ".h5", ".mat", ".hdf5", ".xfm")
"""Endings of ITK's files of transforms; FSL's matrices end in .mat too."""

FREESURFER = ".lta"


def read_initial_transform(path: str | Path, fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
    """Read a linear transform of ITK, ANTs, 3D Slicer, FSL or FreeSurfer.

    Args:
        path: .tfm, .txt, .h5 or .mat of ITK, which goes from fixed to moving points in mm, LPS;
            .mat of FSL's FLIRT or .lta of FreeSurfer, which go from moving to fixed points, see
            :mod:`bundle.images.matrix_files`.
        fixed: the grid of the fixed volume.
        moving: the grid of the moving volume.

    Returns:
        (4, 4) matrix, millimetres, LPS, fixed to moving points.

    Raises:
        InputError: there is no such file, it holds no transform of these tools, or one that is not
            linear, not of three dimensions, mirrors, or cannot be inverted.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path of the initial transform")
    matrix = _read(path, fixed, moving)
    if not np.isfinite(matrix).all() or not np.linalg.det(matrix[:3, :3]) > 1e-3:
        raise InputError(f"{path}: contains a reflection or has no inverse; give another transform")
    return matrix


def _read(path: Path, fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
    suffix = path.suffix.lower()
    if suffix == FREESURFER:
        return read_lta(path, fixed, moving)
    if suffix not in KINDS:
        raise InputError(
            f"{path}: is no linear transform by its name; give a .tfm, .txt, .h5 or .mat file of "
            "ITK, a .mat of FSL or an .lta of FreeSurfer"
        )
    matrix = read_fsl(path, fixed, moving) if suffix == ".mat" else None
    return _read_itk(path) if matrix is None else matrix


def _read_itk(path: Path) -> np.ndarray:
    try:
        transform = read_itk_transform(path)
    except (RuntimeError, KeyError) as error:  # of kinds that SimpleITK does not know
        raise InputError(
            f"{path}: cannot be read as a transform; save it with ITK, ANTs, 3D Slicer or FSL"
        ) from error
    if transform.GetDimension() != 3:
        raise InputError(
            f"{path}: holds a transform of {transform.GetDimension()} dimensions; give one of three"
        )
    if not transform.IsLinear():
        linear = path.with_name("rigid.tfm")  # of a result of ours
        remedy = "take rigid.tfm beside it" if linear.is_file() else "give a linear one"
        raise InputError(f"{path}: holds a {transform.GetName()}, which is not linear; {remedy}")
    return as_matrix(transform)
