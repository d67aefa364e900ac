"""The geometry of a NIfTI header, which it may state three times: pixdim, qform and sform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from nibabel.quaternions import fillpositive, quat2mat

from bundle.errors import InputError, Remark
from bundle.images.grid import STATE, require_affine

UNITS = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""Millimetres per unit of length by its code: unknown, metre, millimetre, micrometre."""

CODES = range(6)
"""What sform_code and qform_code can be."""

AGREE = 0.1
"""Millimetres by which the corners may differ between two statements of one geometry."""

APART = 350.0
"""Millimetres from which on two statements are of no common place, whatever was meant."""

ROUNDED = 4e-7
"""By which a stored quaternion may be longer than 1, which nibabel allows too."""

DIFFERENT = 0.05
"""Share by which the voxel size of pixdim may differ from that of the affine."""

TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From RAS, which NIfTI, nibabel and MONAI count in, and back."""


def affine_of(
    name: str, header: Any, spacing: Sequence[float] | None = None
) -> tuple[np.ndarray, list[Remark]]:
    """From voxels to millimetres: by the sform where there is one, else by the qform.

    Args:
        name: of the image, for messages.
        header: of nibabel, as it stands in the file.
        spacing: mm along the three axes; counts where the header says no voxel size.

    Returns:
        (4, 4), LPS; and what is missing or disagrees.

    Raises:
        InputError: something is missing that cannot be done without, or contradicts the rest.
    """
    unit = unit_mm(name, header)
    zooms, remarks = _zooms(name, header, unit, spacing)
    forms = _forms(name, header, unit, zooms)
    if not forms:
        text = "orientation not stated: left and right are a guess; set its sform"
        # as ITK reads it: indices along LPS
        return np.diag([*zooms, 1.0]), [*remarks, Remark("orientation_missing", text)]
    used = next(iter(forms))
    for affine in forms.values():
        require_affine(name, affine)
    corners = _corners(header)
    sizes = _sizes_compared(name, used, forms[used], zooms, corners)
    both = len(forms) == 2
    remarks += _forms_compared(name, forms, corners) if both else sizes
    return TO_LPS @ forms[used], remarks


def unit_mm(name: str, header: Any) -> float:
    """Millimetres per unit of a header's lengths; 1 of headers that have no units.

    Raises:
        InputError: the unit is none of the standard's.
    """
    if not hasattr(header, "get_xyzt_units"):
        return 1.0
    code = int(header["xyzt_units"]) & 7
    if code not in UNITS:
        raise InputError(f"{name}: its unit of length is unknown (xyzt_units {code}); correct it")
    return UNITS[code]


def _zooms(
    name: str, header: Any, unit: float, spacing: Sequence[float] | None
) -> tuple[np.ndarray, list[Remark]]:
    """Size of the voxels by pixdim, mm, (3,); NaN where a sform has to say it."""
    zooms = np.array(header["pixdim"][1:4], dtype=np.float64)
    if np.isfinite(zooms).all() and (zooms > 0).all():
        return zooms * unit, []
    if int(header["sform_code"]) > 0:
        text = f"its pixdim {_shown(zooms)} is not a voxel size: that of the sform is used"
        return np.full(3, np.nan), [Remark("voxel_size_missing", text)]
    if spacing is None:
        raise InputError(f"{name}: its pixdim {_shown(zooms)} is not a voxel size; {STATE}")
    return np.array(spacing, dtype=np.float64), []


def _shown(values: np.ndarray) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _forms(name: str, header: Any, unit: float, zooms: np.ndarray) -> dict[str, np.ndarray]:
    """The affines that are declared, mm, RAS, the one that is used first."""
    codes = {form: int(header[f"{form}_code"]) for form in ("sform", "qform")}
    for form, code in codes.items():
        if code not in CODES:
            raise InputError(f"{name}: has an unknown {form}_code {code}; correct its header")
    forms = {}
    if codes["sform"]:
        rows = [np.array(header[f"srow_{axis}"], dtype=np.float64) for axis in "xyz"]
        forms["sform"] = np.vstack([np.stack(rows) * unit, [0, 0, 0, 1]])
    if codes["qform"] and np.isfinite(zooms).all():
        forms["qform"] = _qform(name, header, unit, zooms)
    return forms


def _qform(name: str, header: Any, unit: float, zooms: np.ndarray) -> np.ndarray:
    vector = np.array([header[f"quatern_{part}"] for part in "bcd"], dtype=np.float64)
    offsets = np.array([header[f"qoffset_{axis}"] for axis in "xyz"], dtype=np.float64)
    side = float(header["pixdim"][0])
    try:
        if not np.isfinite([*vector, *offsets]).all() or side not in (-1, 0, 1):
            raise ValueError("no numbers, or no side")
        rotation = quat2mat(fillpositive(vector, w2_thresh=ROUNDED))
    except ValueError as error:
        raise InputError(f"{name}: has an invalid qform; correct its header") from error
    affine = np.eye(4)
    affine[:3, :3] = rotation * zooms * [1, 1, -1 if side == -1 else 1]
    affine[:3, 3] = offsets * unit
    return affine


def _corners(header: Any) -> np.ndarray:
    """Indices of the eight corners, (4, 8), homogeneous."""
    last = np.array(header["dim"][1:4], dtype=np.float64) - 1
    return np.vstack([last[:, None] * np.indices((2, 2, 2)).reshape(3, -1), np.ones(8)])


def _sizes_compared(
    name: str, form: str, affine: np.ndarray, zooms: np.ndarray, corners: np.ndarray
) -> list[Remark]:
    """The voxel size of pixdim has to be that of the affine."""
    if not np.isfinite(zooms).all():
        return []
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    away = float(np.linalg.norm((steps - zooms)[:, None] * corners[:3], axis=0).max())
    if away > zooms.max() or np.abs(steps / zooms - 1).max() > DIFFERENT:
        raise InputError(
            f"{name}: its voxel size (pixdim) and its {form} contradict each other by up to "
            f"{away:.0f} mm; correct the header"
        )
    if away <= AGREE:
        return []
    text = f"pixdim and {form} disagree by up to {away:.1f} mm: the {form} is used"
    return [Remark("forms_disagree", text)]


def _forms_compared(
    name: str, forms: Mapping[str, np.ndarray], corners: np.ndarray
) -> list[Remark]:
    sform, qform = forms["sform"], forms["qform"]
    if np.linalg.det(sform[:3, :3]) * np.linalg.det(qform[:3, :3]) < 0:
        raise InputError(
            f"{name}: its qform and its sform disagree on left and right; correct the header"
        )
    apart = np.linalg.norm((sform - qform) @ corners, axis=0).max()
    if apart <= AGREE:
        return []
    if not apart <= APART:
        raise InputError(
            f"{name}: its qform and its sform are {apart:.3g} mm apart; correct the header"
        )
    text = f"qform and sform disagree by up to {apart:.1f} mm: the sform is used"
    return [Remark("forms_disagree", text)]
