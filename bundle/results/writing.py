"""Write what a registered and fused pair leaves: all of it or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from bundle.domain import MODALITIES, Modality
from bundle.fusion import FusedPair, FusedPictures, FusedVolumes
from bundle.geometry.fields import write_field
from bundle.images.dicom_write import write_series
from bundle.images.pictures import write_picture
from bundle.networks.weights import weights_sha256
from bundle.options import Options
from bundle.results.describe import picture_report, shown_volumes, volume_report
from bundle.results.folder import staged
from bundle.results.report import Report
from bundle.results.volume_page import overlay, write_page
from bundle.results.whole_file import require_space


def parameters_of(options: Options) -> dict[str, Any]:
    """What a run was set to, as ``report.json`` says it."""
    weights = weights_sha256(options.checkpoint)
    return {
        "init": options.init,
        "ct_window": list(options.ct_window),
        "percentiles": list(options.percentiles),
        "through_plane_mm": options.through_plane,
        "guard": options.guard,
        "refine": options.refine,
        **({"rigid_only": True} if options.rigid_only else {}),
        **({"weights_sha256": weights} if weights else {}),
    }


def write(fused: FusedPair, folder: Path, options: Options) -> Report:
    """Write the results of a pair.

    Args:
        fused: the pair.
        folder: made if necessary; see :func:`bundle.results.folder.staged`.
        options: ``dicom_output`` counts; the others are reported.

    Returns:
        the report.

    Raises:
        InputError: the folder cannot be written to.
    """
    parameters = parameters_of(options)
    with staged(folder) as stage:
        if isinstance(fused, FusedPictures):
            _write_pictures(fused, stage)
            return picture_report(fused, parameters)
        return _write_volumes(fused, stage, parameters, options.dicom_output)


def _write_pictures(fused: FusedPictures, folder: Path) -> None:
    registration = fused.registration
    # two floats and two colours per pixel
    require_space(folder, 16 * registration.ddf[0].numel())
    write_field(registration.field, folder / "ddf.nii.gz")
    write_picture(registration.warped, folder / "warped.png")
    write_picture(fused.fused, folder / "fused.png")


def _write_volumes(
    fused: FusedVolumes, folder: Path, parameters: Mapping[str, Any], dicom: bool
) -> Report:
    registration = fused.registration
    pair = registration.pair
    require_space(folder, sum(_bytes(volume.image) for volume in (pair.fixed, pair.moving)))
    write_field(registration.field, folder / "ddf.nii.gz")
    sitk.WriteTransform(registration.transform, str(folder / "transform.h5"))
    for name, volume in _volumes(fused).items():
        path = str(folder / f"{name}.nii.gz")
        sitk.WriteImage(sitk.Cast(volume, sitk.sitkFloat32), path, useCompression=True)
    shown = shown_volumes(fused)
    report = volume_report(fused, shown, parameters)
    text = json.dumps(report.as_json(), indent=1, allow_nan=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    write_page(folder / "report.html", report, shown, registration.field)
    if pair.modality in MODALITIES and Modality[str(pair.modality)].activity:
        write_picture(overlay(shown, registration.field), folder / "overlay.png")
    if dicom:
        write_series(fused.fused, folder / "dicom", pair.fixed.header)
    return report


def _volumes(fused: FusedVolumes) -> dict[str, sitk.Image]:
    """By the names of their files."""
    registration = fused.registration
    found = {"warped": registration.warped, "fused": fused.fused}
    if registration.uncertainty is not None:
        found["uncertainty"] = registration.uncertainty
    for side, volume in (("fixed", registration.pair.fixed), ("moving", registration.pair.moving)):
        if volume.resampled:  # the transform refers to this volume and not to the slices
            found[f"{side}_used"] = volume.image
    return found


def _bytes(volume: sitk.Image) -> int:
    """What results on a volume's grid take uncompressed: two transforms, a field, four volumes."""
    return volume.GetNumberOfPixels() * (2 * 24 + 12 + 4 * 4)
