"""What a registered and fused pair leaves as DICOM objects."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from bundle.fusion import FusedVolumes
from bundle.images.dicom_out.fused import write_fused
from bundle.images.dicom_out.registered import write_registered
from bundle.images.dicom_out.spatial import (
    write_deformable_registration,
    write_spatial_registration,
)
from bundle.images.dicom_out.study import study_of


def write_dicom(fused: FusedVolumes, colors: sitk.Image | None, folder: Path) -> None:
    """Write the series and the registration objects of a pair.

    Args:
        fused: the pair.
        colors: the fused volume in colours, if there is one.
        folder: for ``dicom``, ``dicom_color``, ``dicom_registered``, ``spatial_registration.dcm``
            and, where there is a field, ``deformable_registration.dcm``.
    """
    registration = fused.registration
    pair, field = registration.pair, registration.field
    study = study_of(pair.fixed, pair.moving)
    write_fused(fused.fused, field, folder / "dicom", study)
    if colors is not None:
        write_fused(colors, field, folder / "dicom_color", study)
    window = registration.initial.windows[1]
    write_registered(
        registration.warped, field, folder / "dicom_registered", study, pair.modality, window,
        pair.hounsfield[1],
    )  # fmt: skip
    found = registration.mapping
    write_spatial_registration(found.matrix, folder / "spatial_registration.dcm", study)
    if found.elastic is not None:
        write_deformable_registration(found, folder / "deformable_registration.dcm", study)
