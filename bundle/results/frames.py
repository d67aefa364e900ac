"""All frames of a 4D image on the fixed grid, by the registration of one."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk

from bundle.geometry.transform import field_transform, resample
from bundle.images.each_frame import each_frame
from bundle.images.frames import Frames
from bundle.images.nifti_write import affine_of
from bundle.registration import VolumeRegistration
from bundle.results.compressed import gzipped
from bundle.results.volume_files import rounded, shade_of
from bundle.results.whole_file import require_space

MOST = 2**15
"""Frames that NIfTI-1 can count."""


def write_frames(registration: VolumeRegistration, frames: Frames, path: Path) -> None:
    """Write the frames one by one: no more than one is in memory.

    Args:
        registration: of one of the frames, or of their mean.
        frames: of the moving image.
        path: the ``.nii.gz`` file: float32, the moving image's units and time axis.

    Raises:
        InputError: a frame cannot be used.
        OSError: the disk is full.
    """
    grid = registration.pair.fixed.image
    transform = field_transform(registration.mapping.displacement)  # as of warped
    step = shade_of(registration.initial.windows[1])
    suv = registration.pair.moving.suv
    factor = suv.factor if suv is not None and suv.applied else 1.0
    require_space(path.parent, 2 * 4 * grid.GetNumberOfPixels() * frames.count)
    with gzipped(path) as plain, plain.open("wb") as file:
        file.write(_header(grid, frames))
        for frame in each_frame(frames):
            warped = rounded(resample(frame * factor, grid, transform), step)
            file.write(sitk.GetArrayViewFromImage(warped).astype("<f4").tobytes())


def _header(grid: sitk.Image, frames: Frames) -> bytes:
    """A NIfTI header up to where the data begin."""
    kind = nibabel.Nifti1Header if frames.count < MOST else nibabel.Nifti2Header
    header = kind(endianness="<")
    header.set_data_dtype(np.float32)
    header.set_data_shape((*grid.GetSize(), frames.count))
    header.set_zooms((*grid.GetSpacing(), frames.step))
    header.set_xyzt_units("mm", frames.unit)
    header.set_sform(affine_of(grid), code=1)
    header.set_qform(affine_of(grid), code=1)
    header.set_slope_inter(1, 0)
    header["vox_offset"] = header["sizeof_hdr"] + 4  # no extensions
    return header.binaryblock + bytes(4)
