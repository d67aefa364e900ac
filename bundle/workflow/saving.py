"""Turn the network's prediction into results and write them, as dictionary transforms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import SimpleITK as sitk
import torch
from monai.transforms import Transform

from bundle.errors import InputError
from bundle.geometry.fields import picture_grid, to_itk, warp, write_field
from bundle.workflow.loading import named_series, read_side
from bundle.results.whole_file import require_space
from bundle.results.folder import staged
from bundle.networks.weights import weights_sha256
from bundle.fusion.recolor import recolor
from bundle.images.pictures import write_picture
from bundle.images.dicom import series_files
from bundle.images.dicom_write import write_series
from bundle.results.volume_report import write_volume_report
from bundle.geometry.slices import field_from_slices, from_slices, to_slices
from bundle.geometry.transform import field_transform, resample, total_field, total_transform


class ApplyFieldd(Transform):
    """Split ``pred`` into ``fused``, ``ddf``, ``uncertainty`` and the ``warped`` moving image.

    ``pred`` is (3 or 4, H, W[, D]): fused luminance in [0, 1], the ddf in voxels, rows before
    columns, pull-back, and the ddf's uncertainty in millimetres if it is known. A colour
    ``moving_image`` keeps its colours in both images. A volume's ``spline``, if there is one (see
    :class:`bundle.workflow.RefineFieldd`), takes part in ``warped``. Of volumes also adds the
    ``readings`` of both, the whole ``transform`` and the same as a ``field``, which are written.
    """

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Split one record."""
        pred, moving = data["pred"].cpu(), data["moving_image"].cpu()
        if not torch.isfinite(pred).all():
            raise InputError("the network returns values that are not finite; check the checkpoint")
        fused, ddf = pred[:1].double(), pred[1:3]
        data = {**data, "uncertainty": pred[3:]} if len(pred) > 3 else data
        if moving.ndim == 4:
            data = {**data, **_total(data, ddf)}
            grid, moving_volume = (data["readings"][side].volume for side in ("fixed", "moving"))
            given = field_transform(data["field"])  # what whoever applies ddf.nii.gz will get
            warped = to_slices(resample(moving_volume, grid, given), data["plane"])
        else:
            warped = warp(moving[None], ddf[None])[0]
            fused = 255 * fused
            if len(moving) == 3:
                fused = recolor(fused, warped)
        return {**data, "fused": fused, "warped": warped, "ddf": ddf}


class SavePaird(Transform):
    """Write ``fused``, ``warped`` and ``ddf`` to ``output_dir``, all of them or none.

    Adds ``suspicious``, what the user should look at, a sentence each (of volumes).

    Args:
        parameters: what the run was set to, for ``report.json``.
        checkpoint: the file of the weights; the report says its SHA-256 (first 12 digits).
        dicom: whether the fused volume is also written as a DICOM series, in ``dicom``.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any] | None = None,
        checkpoint: Path | str | None = None,
        dicom: bool = False,
    ) -> None:
        self.dicom = dicom
        self.parameters = dict(parameters or {})
        self.checkpoint = checkpoint

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Write one record."""
        suspicious: list[str] = []
        with staged(Path(data["output_dir"])) as folder:
            if data["ddf"].ndim == 4:
                suspicious = _write_volumes(data, folder, self._settings())
                if self.dicom:
                    _write_dicom(data, folder / "dicom")
            else:
                _write_pictures(data, folder)
        return {**data, "suspicious": suspicious}

    def _settings(self) -> dict[str, Any]:
        weights = weights_sha256(self.checkpoint)
        return self.parameters | ({"weights_sha256": weights} if weights else {})


def _total(data: dict[str, Any], ddf: torch.Tensor) -> dict[str, Any]:
    """Both volumes as they were read; start, field and any B-spline as one transform and field."""
    readings = {side: read_side(data, side) for side in ("fixed", "moving")}
    grid = readings["fixed"].volume
    parts = [ddf, data["spline"]] if "spline" in data else [ddf]
    fields = [field_from_slices(part, grid, data["plane"]) for part in parts]
    transform = total_transform(data["start"], *fields)
    return {"readings": readings, "transform": transform, "field": total_field(transform, grid)}


def _write_pictures(data: dict[str, Any], folder: Path) -> None:
    require_space(folder, 16 * data["ddf"][0].numel())  # two floats and two colours per pixel
    write_field(to_itk(data["ddf"], picture_grid(*data["ddf"].shape[1:])), folder / "ddf.nii.gz")
    write_picture(data["warped"], folder / "warped.png")
    write_picture(data["fused"], folder / "fused.png")


def _write_volumes(data: dict[str, Any], folder: Path, parameters: Mapping[str, Any]) -> list[str]:
    """Write all results of a volume; returns what is suspicious about them."""
    readings, grid, plane = data["readings"], data["readings"]["fixed"].volume, data["plane"]
    require_space(folder, sum(_bytes(reading.volume) for reading in readings.values()))
    write_field(data["field"], folder / "ddf.nii.gz")
    sitk.WriteTransform(data["transform"], str(folder / "transform.h5"))
    written: dict[str, torch.Tensor] = {
        name: data[name] for name in ("warped", "uncertainty", "fused") if name in data
    }
    images: dict[str, sitk.Image] = {
        name: from_slices(values, grid, plane) for name, values in written.items()
    }
    for side, reading in readings.items():
        if reading.resampled:  # the transform refers to this volume and not to the slices
            images[f"{side}_used"] = sitk.Cast(reading.volume, sitk.sitkFloat32)
    for name, volume in images.items():
        sitk.WriteImage(volume, str(folder / f"{name}.nii.gz"), useCompression=True)
    return write_volume_report(data, grid, data["field"], folder, parameters)


def _bytes(volume: sitk.Image) -> int:
    """What results on a volume's grid take uncompressed: two transforms, a field, four volumes."""
    return volume.GetNumberOfPixels() * (2 * 24 + 12 + 4 * 4)


def _write_dicom(data: dict[str, Any], folder: Path) -> None:
    fused = from_slices(data["fused"], data["readings"]["fixed"].volume, data["plane"])
    source = Path(data["fixed"])
    template = series_files(source, named_series(data, "fixed"))[0] if source.is_dir() else None
    write_series(fused, folder, template)
