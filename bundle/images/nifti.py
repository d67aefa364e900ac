"""What a NIfTI file holds beside what ITK reads of it: gaps, and what its header says twice."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError, Remark

SUFFIXES = (".nii", ".nii.gz")

UNITS = {"meter": 1000.0, "micron": 0.001}
"""Millimetres per unit of a NIfTI header, where it is not the millimetre."""

AGREE = 0.1
"""Millimetres by which the corners may differ between a file's qform and sform."""


def read_nifti(path: Path) -> tuple[Any, np.ndarray]:
    """The header and the values, slices first: ITK silently turns NaN and infinity into 0.

    Raises:
        InputError: the file is damaged, or no NIfTI file.
    """
    try:
        image: Any = nibabel.load(path)  # type: ignore[attr-defined]
        return image.header, np.asanyarray(image.dataobj).T
    except nibabel.filebasedimages.ImageFileError as error:
        raise InputError(f"{path}: is not what its suffix says; export it anew") from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{path}: is damaged or cut short; copy or export it anew") from error


def geometry_remarks(name: str, header: Any, volume: sitk.Image) -> list[Remark]:
    """Whether what a header says of the geometry is complete and agrees with what ITK uses.

    Raises:
        InputError: it contradicts itself.
    """
    forms = _forms(name, header)
    if not forms:
        text = "says nothing of its orientation: left and right are a guess; set its sform"
        return [Remark("orientation_missing", text)]
    size = np.array(volume.GetSize())
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * (size - 1)
    unit = unit_mm(header)
    points = {n: (corners @ form[:3, :3].T + form[:3, 3]) * unit for n, form in forms.items()}
    used = [volume.TransformIndexToPhysicalPoint(corner.tolist()) for corner in corners]
    used_ras = np.array(used) * [-1, -1, 1]
    away = {form: np.abs(points[form] - used_ras).max() for form in points}
    nearest = min(away, key=lambda form: away[form])
    if away[nearest] > max(volume.GetSpacing()):
        raise InputError(
            f"{name}: its voxel size (pixdim) and its {nearest} contradict each other by up to "
            f"{away[nearest]:.0f} mm; correct the header"
        )
    apart = np.ptp(list(points.values()), axis=0).max()
    if apart <= AGREE:
        return []
    text = f"qform and sform disagree by up to {apart:.1f} mm: the {nearest} is used"
    return [Remark("forms_disagree", text)]


def unit_mm(header: Any) -> float:
    """Millimetres per unit of a header's lengths; 1 of headers that have no units."""
    units = header.get_xyzt_units() if hasattr(header, "get_xyzt_units") else ("mm",)
    return UNITS.get(units[0], 1.0)


def _forms(name: str, header: Any) -> dict[str, np.ndarray]:
    """The affines that the header declares, RAS."""
    coded = {"sform": header.get_sform(coded=True)[0]}
    try:
        coded["qform"] = header.get_qform(coded=True)[0]
    except ValueError as error:  # its quaternion is none
        raise InputError(f"{name}: has an invalid qform; correct its header") from error
    return {form: affine for form, affine in coded.items() if affine is not None}
