"""Volumes that no reader can use, or only with a warning: one for each kind of answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk

from tests.images.oblique_head import CT, HEAD, T1
from tests.images.series import dicom_of, rewrite


def fixed_of(folder: Path) -> Path:
    """A good reference volume."""
    return _nifti(folder / "fixed.nii", T1)


def _nifti(path: Path, values: np.ndarray, **fields: Any) -> Path:
    image = nibabel.Nifti1Image(values, HEAD.affine)
    image.set_sform(HEAD.affine, 1)
    image.set_qform(HEAD.affine, 1)
    header = image.header
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + bytes(4) + values.tobytes(order="F"))
    return path


def _sizeless(folder: Path) -> Path:
    return _nifti(folder / "a.nii", CT, pixdim=[1, 0, 0, 0, 1, 1, 1, 1], sform_code=0)


def _apart(folder: Path) -> Path:
    return _nifti(folder / "a.nii", CT, qoffset_x=HEAD.affine[0, 3] + 7)


def _frames(folder: Path) -> Path:
    path = folder / "a.nii"
    nibabel.save(nibabel.Nifti1Image(np.stack([CT, CT], -1), HEAD.affine), path)
    return path


def _short(folder: Path) -> Path:
    path = _nifti(folder / "a.nii", CT, vox_offset=352)
    path.write_bytes(path.read_bytes()[:-9])
    return path


def _nrrd(folder: Path) -> Path:
    path = folder / "a.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(CT.T), str(path))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if not line.startswith(b"space")))
    return path


def _without_pixel_size(folder: Path) -> Path:
    series = dicom_of(folder / "a", CT[:, :, ::4], HEAD.affine, "CT")
    return rewrite(series, lambda file, _: file.__delattr__("PixelSpacing"))


def _series(folder: Path) -> Path:
    dicom_of(folder / "a", CT[:, :, ::8], HEAD.affine, "CT")
    for number, path in enumerate(
        dicom_of(folder / "bb", CT[:, :, ::8], HEAD.affine, "CT").iterdir()
    ):
        path.rename(folder / "a" / f"other{number}.dcm")
    return folder / "a"


ODD: dict[str, tuple[Callable[[Path], Path], dict[str, Any], str]] = {
    "no voxel size": (_sizeless, {}, r"a\.nii: its pixdim 0, 0, 0 is not a voxel size; .*--sp"),
    "two places": (_apart, {}, "qform and sform disagree by up to 7.0 mm: the sform is used"),
    "two places, strict": (_apart, {"strict": True}, "disagree by up to 7.0 mm.*leave out strict"),
    "frames": (_frames, {}, r"a\.nii: is 4D with 2 frames; name one of them: --frame 0 to 1"),
    "a frame that is not there": (_frames, {"frame": 2}, r"a\.nii: there is no frame 2; name one"),
    "cut short": (_short, {}, r"a\.nii: is damaged or cut short; copy or export it anew"),
    "NRRD without sizes": (_nrrd, {}, r"a\.nrrd: does not say how large its voxels are; .*--sp"),
    "no pixel size": (_without_pixel_size, {}, r"a: its headers lack the pixel size"),
    "two series": (_series, {}, r"a: holds 2 series: 1: 1\.2\.1 \(CT, "),
    "an unknown series": (_series, {"series": ("1.9",)}, r"a: without the series 1\.9; correct"),
}  # fmt: skip
"""How the moving volume is written, with which options it is read, and what is said of it."""
