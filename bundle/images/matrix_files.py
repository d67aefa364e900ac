"""Matrices of linear transforms in the files of FSL and FreeSurfer.

Both go from moving to fixed points, the other way than ITK's:

- FSL (``flirt -in MOVING -ref FIXED -omat``): four rows of four numbers, in mm counted from the
  middle of the first voxel along the stored axes; the first axis counts backwards where the affine
  from voxels to RAS has a positive determinant
  (https://fsl.fmrib.ox.ac.uk/fsl/docs/#/registration/flirt/faq).
- FreeSurfer (``.lta``, ``mri_robust_register --mov MOVING --dst FIXED --lta``): type 1 from RAS to
  RAS, type 0 from voxels to voxels, with the geometry of both volumes
  (https://surfer.nmr.mgh.harvard.edu/fswiki/LinearTransformArray).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.nifti_write import affine_of

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From RAS to LPS, and back."""

VOXELS, RAS = 0, 1
"""Types of a linear transform array that are read; the second one is written."""


def write_fsl(start: np.ndarray, fixed: sitk.Image, moving: sitk.Image, path: Path) -> None:
    """Write a matrix as ``flirt -applyxfm -init`` takes it.

    Args:
        start: (4, 4), mm, LPS, fixed to moving points.
        fixed: the grid of the fixed volume.
        moving: the grid of the moving volume.
        path: the file.
    """
    backward = LPS @ np.linalg.inv(start) @ LPS
    matrix = _fsl_of(fixed) @ backward @ np.linalg.inv(_fsl_of(moving))
    np.savetxt(path, matrix, fmt="%.12g")


def read_fsl(path: Path, fixed: sitk.Image, moving: sitk.Image) -> np.ndarray | None:
    """Read a matrix of FLIRT.

    Args:
        path: the file.
        fixed: the grid of the volume that was its ``-ref``.
        moving: the grid of the volume that was its ``-in``.

    Returns:
        (4, 4), mm, LPS, fixed to moving points; None if the file is no text of 16 numbers.
    """
    try:
        matrix = np.loadtxt(path, dtype=np.float64)
    except (ValueError, UnicodeDecodeError):
        return None
    if matrix.shape != (4, 4):
        return None
    backward = np.linalg.inv(_fsl_of(fixed)) @ matrix @ _fsl_of(moving)
    return LPS @ _inverse(path, backward) @ LPS


def write_lta(start: np.ndarray, fixed: sitk.Image, moving: sitk.Image, path: Path) -> None:
    """Write a linear transform array of type 1 as ``mri_vol2vol --lta`` takes it.

    Args:
        start: (4, 4), mm, LPS, fixed to moving points.
        fixed: the grid of the fixed volume.
        moving: the grid of the moving volume.
        path: the file.
    """
    matrix = LPS @ np.linalg.inv(start) @ LPS
    rows = [" ".join(f"{value:.15e}" for value in row) for row in matrix]
    lines = [
        f"type      = {RAS} # LINEAR_RAS_TO_RAS", "nxforms   = 1", "mean      = 0.0 0.0 0.0",
        "sigma     = 1.0", "1 4 4", *rows,
        *_geometry("src", "moving.nii.gz", moving), *_geometry("dst", "fixed.nii.gz", fixed),
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def read_lta(path: Path, fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
    """Read a linear transform array of type 0 or 1.

    Args:
        path: the file.
        fixed: the grid of its ``dst`` volume.
        moving: the grid of its ``src`` volume.

    Returns:
        (4, 4), mm, LPS, fixed to moving points.

    Raises:
        InputError: it is no such file, of another type, holds several transforms, lacks a geometry
            that it needs, or goes from the fixed volume to the moving one.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    text = "\n".join(line.split("#")[0] for line in text.splitlines())
    kind, count = (_number(text, name) for name in ("type", "nxforms"))
    found = re.search(r"^\s*1\s+4\s+4\s*\n((?:\s*\S+){16})", text, re.MULTILINE)
    try:
        matrix = np.array(found[1].split() if found else [], dtype=np.float64)
    except ValueError:
        matrix = np.zeros(0)
    if matrix.size != 16:
        raise InputError(f"{path}: is no linear transform array of FreeSurfer; export it anew")
    if kind not in (VOXELS, RAS) or count != 1:
        raise InputError(
            f"{path}: has type {kind} and {count} transform(s); convert it by lta_convert to one "
            "transform of type 1 (RAS to RAS)"
        )
    matrix = matrix.reshape(4, 4)
    source, target = (_affine(text, name) for name in ("src", "dst"))
    if _is_of(source, fixed) and _is_of(target, moving) and not _is_of(source, moving):
        raise InputError(
            f"{path}: goes from the fixed image to the moving one; invert it by lta_convert "
            "--invert"
        )
    if kind == VOXELS:
        if source is None or target is None:
            raise InputError(
                f"{path}: is from voxels to voxels and lacks the geometry of its volumes; convert "
                "it by lta_convert to type 1 (RAS to RAS)"
            )
        matrix = target @ matrix @ np.linalg.inv(source)
    return LPS @ _inverse(path, matrix) @ LPS


def _fsl_of(grid: sitk.Image) -> np.ndarray:
    """(4, 4): from mm, RAS, to FSL's coordinates."""
    affine = affine_of(grid)
    scaled = np.diag([*grid.GetSpacing(), 1.0])
    if np.linalg.det(affine[:3, :3]) > 0:
        last = (grid.GetSize()[0] - 1) * grid.GetSpacing()[0]
        scaled = np.array([[-1.0, 0, 0, last], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]) @ scaled
    return scaled @ np.linalg.inv(affine)


def _inverse(path: Path, matrix: np.ndarray) -> np.ndarray:
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
        raise InputError(f"{path}: flattens space to nothing; give a transform that can be undone")
    if not np.allclose(matrix[3], [0, 0, 0, 1]):
        raise InputError(f"{path}: its last row is not 0 0 0 1; export it anew")
    return np.linalg.inv(matrix)


def _geometry(side: str, name: str, grid: sitk.Image) -> list[str]:
    """The lines that describe a volume; its centre is that of voxel size / 2."""
    size, spacing, affine = grid.GetSize(), grid.GetSpacing(), affine_of(grid)
    axes = affine[:3, :3] / spacing
    centre = affine @ [*(n / 2 for n in size), 1.0]
    vectors = dict(zip("xyzc", [*axes.T, centre[:3]], strict=True))
    return [
        f"{side} volume info", "valid = 1  # volume info valid", f"filename = {name}",
        f"volume = {' '.join(map(str, size))}",
        f"voxelsize = {' '.join(f'{step:.15e}' for step in spacing)}",
        *(f"{n}ras   = {' '.join(f'{one:.15e}' for one in v)}" for n, v in vectors.items()),
    ]  # fmt: skip


def _affine(text: str, side: str) -> np.ndarray | None:
    """(4, 4): from voxels to mm, RAS, of a volume; None where the file does not say it."""
    part = re.search(rf"^\s*{side} volume info(.*?)(?=^\s*\w+ volume info|\Z)", text, re.M | re.S)
    if part is None or _number(part[1], "valid") != 1:
        return None
    names = ("volume", "voxelsize", "xras", "yras", "zras", "cras")
    found = [_numbers(part[1], name) for name in names]
    if any(len(one) != 3 for one in found):
        return None
    size, spacing, *axes, centre = (np.array(one) for one in found)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack(axes) * spacing
    affine[:3, 3] = centre - affine[:3, :3] @ (size / 2)
    return affine


def _is_of(affine: np.ndarray | None, grid: sitk.Image) -> bool:
    return affine is not None and np.allclose(affine, affine_of(grid), rtol=0, atol=1e-2)


def _number(text: str, name: str) -> int | None:
    found = re.search(rf"^\s*{name}\s*=\s*(-?\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None


def _numbers(text: str, name: str) -> list[float]:
    found = re.search(rf"^\s*{name}\s*=(.*)$", text, re.MULTILINE)
    try:
        return [float(word) for word in found[1].split()] if found else []
    except ValueError:
        return []
