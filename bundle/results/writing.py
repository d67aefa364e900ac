"""Write what a registered and fused pair leaves: all of it or nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from bundle.domain import MOVING, Modality
from bundle.errors import refuse_warnings
from bundle.fusion import FusedPair, FusedPictures, FusedVolumes, color_volume, colormap_of
from bundle.geometry.compact import VOXEL
from bundle.geometry.fields import write_field
from bundle.images.nifti_write import write_rgb
from bundle.images.pictures import write_picture
from bundle.networks.weights import weights_sha256
from bundle.options import Options
from bundle.progress import SILENT, Progress, Stage
from bundle.results.compressed import gzipped
from bundle.results.describe import picture_report, shown_volumes, volume_report
from bundle.results.dicom_files import write_dicom
from bundle.results.folder import staged
from bundle.results.frames import write_frames
from bundle.results.labels import write_labels
from bundle.results.picture_page import write_picture_page
from bundle.results.report import Report
from bundle.results.volume_files import write_files
from bundle.results.volume_page import overlay, write_volume_page
from bundle.results.whole_file import require_space

PAGE = 15_000_000
"""Bytes of a page at most."""

DICOM = 2 + 2 + 3 + 12
"""Bytes of a fixed voxel as DICOM: registered, fused, in colours; a field on the fixed grid."""


def parameters_of(options: Options) -> dict[str, Any]:
    """What a run was set to, as ``report.json`` says it."""
    weights = weights_sha256(options.checkpoint)
    return {
        "init": options.init,
        **({"initial_transform": True} if options.initial_transform else {}),
        "ct_window": list(options.ct_window),
        "percentiles": list(options.percentiles),
        "through_plane_mm": options.through_plane,
        "guard": options.guard,
        "refine": options.refine,
        **({"rigid_only": True} if options.rigid_only else {}),
        **({"frame": options.frame} if options.frame is not None else {}),
        **({"apply_to_all_frames": True} if options.apply_to_all_frames else {}),
        **({"suv": True} if options.suv else {}),
        **({"resolution_mm": options.resolution} if options.resolution else {}),
        **({"weights_sha256": weights} if weights else {}),
    }


def write(fused: FusedPair, folder: Path, options: Options, progress: Progress = SILENT) -> Report:
    """Write the results of a pair.

    Args:
        fused: the pair.
        folder: made if necessary; see :func:`bundle.results.folder.staged`.
        options: ``dicom_output``, ``colormap``, ``ddf_full`` and ``overwrite`` count; the
            others are reported.
        progress: is told the stages.

    Returns:
        the report.

    Raises:
        InputError: the folder cannot be written to, or holds results that are not to be replaced;
            or, with ``strict``, there is a warning.
    """
    parameters = parameters_of(options)
    with staged(folder, options.overwrite) as stage:
        if isinstance(fused, FusedPictures):
            report = _write_pictures(fused, stage, parameters, progress)
        else:
            report = _write_files(fused, stage, parameters, options, progress)
        if options.strict:
            refuse_warnings("result", report.warnings)
        return report


def _write_pictures(
    fused: FusedPictures, folder: Path, parameters: Mapping[str, Any], progress: Progress
) -> Report:
    progress(Stage.FILES)
    registration = fused.registration
    # two floats and two colours per pixel, and the page
    require_space(folder, 16 * registration.ddf[0].numel() + PAGE)
    write_field(registration.field, folder / "ddf.nii.gz")
    write_picture(registration.warped, folder / "warped.png")
    write_picture(fused.fused, folder / "fused.png")
    progress(Stage.PAGE)
    report = picture_report(fused, parameters)
    write_picture_page(folder / "report.html", report, fused)
    return report


def _write_files(
    fused: FusedVolumes,
    folder: Path,
    parameters: Mapping[str, Any],
    options: Options,
    progress: Progress,
) -> Report:
    progress(Stage.FILES)
    registration = fused.registration
    pair = registration.pair
    dicom = DICOM * pair.fixed.image.GetNumberOfPixels() if options.dicom_output else 0
    require_space(folder, PAGE + dicom + _bytes(fused, options))
    colormap = colormap_of(pair.modality, options.colormap)
    activity = pair.modality in MOVING and Modality[str(pair.modality)].activity
    colors = color_volume(fused, colormap) if activity or options.colormap else None
    others = [] if colors is None else [partial(_write_colors, colors, folder)]
    write_files(fused, folder, options, *others)
    if options.apply_to_all_frames and pair.moving.frames:
        write_frames(registration, pair.moving.frames, folder / "warped_4d.nii.gz")
    if options.dicom_output:
        write_dicom(fused, colors, folder)
    progress(Stage.PAGE)
    shown = shown_volumes(fused)
    report = volume_report(fused, shown, parameters)
    write_volume_page(folder / "report.html", report, fused, shown, colormap)
    if activity:
        write_picture(overlay(shown, colormap), folder / "overlay.png")
    if report.labels:
        write_labels(report.labels, folder / "labels.csv")
    _write_report(report, folder)
    return report


def _write_report(report: Report, folder: Path) -> None:
    """Write ``report.json`` last: it lists all files, so that ``overwrite`` knows them again."""
    files = sorted([*(path.name for path in folder.iterdir()), "report.json"])
    text = json.dumps({**report.as_json(), "files": files}, indent=1, allow_nan=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")


def _write_colors(colors: sitk.Image, folder: Path) -> None:
    with gzipped(folder / "fused_color.nii.gz") as plain:
        write_rgb(colors, plain)


def _bytes(fused: FusedVolumes, options: Options) -> int:
    """What the results take while they are written plain, at most.

    Four volumes and colours, and the field if it is wanted in full, on the grid of the results; two
    transforms and the field on coarse voxels; the moving volume if its slices were made regular.
    """
    pair = fused.registration.pair
    fixed, moving = pair.fixed.image, pair.moving.image
    sides = zip(fixed.GetSize(), fixed.GetSpacing(), strict=True)
    coarse = math.prod(math.ceil(count * step / VOXEL) + 2 for count, step in sides)
    own = fixed.GetNumberOfPixels() * (4 * 4 + 3 + (24 if options.ddf_full else 0))
    regular = 4 * moving.GetNumberOfPixels() if pair.moving.resampled else 0
    return own + coarse * (2 * 24 + 12) + regular
