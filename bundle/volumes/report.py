"""``report.json``, the QC page and the colour overlay of a registered volume pair."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.fields import warp
from bundle.inference.volumes import to_slices
from bundle.pictures.write import write_picture
from bundle.report import Case, Panel, grey, heat, write_report
from bundle.volumes.figures import figures, warnings

PLANES = ("sagittal", "coronal", "axial")
INTRODUCTION = (
    "Middle slices in three planes. Flick between 'start' and 'warped': edges should move onto "
    "those of 'fixed'. In the checkerboard, contours should run on across the squares. Research "
    "use only: not a medical device."
)


def write_volume_report(data: dict[str, Any], field: sitk.Image, folder: Path) -> None:
    """Write ``report.json``, ``report.html`` and, for PET and SPECT, ``overlay.png``.

    Args:
        data: a record with ``image`` (2, H, W, D), ``ddf``, ``fused``, ``start``, ``overlap``.
        field: the total ITK displacement field, millimetres.
        folder: where to.
    """
    image, ddf = data["image"].cpu(), data["ddf"].cpu()
    warped = warp(image[1].movedim(-1, 0)[:, None], ddf.movedim(-1, 0))[:, 0].movedim(0, -1)
    jacobian = sitk.DisplacementFieldJacobianDeterminant(sitk.Cast(field, sitk.sitkVectorFloat64))
    report = {
        "modality": data.get("modality"),
        "start": np.round(data["start"].numpy(), 6).tolist(),
        "overlap": round(float(data["overlap"]), 4),
        **figures(image, warped[None].float(), field, sitk.GetArrayViewFromImage(jacobian), ddf),
    }
    report["suspicious"] = warnings(report)
    text = json.dumps(report, indent=1, allow_nan=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    shown = {"fixed": image[0], "start": image[1], "warped": warped, "fused": data["fused"][0]}
    volumes = {name: volume.double().numpy() for name, volume in shown.items()}
    change = np.abs(to_slices(jacobian)[0].numpy() - 1)
    spacing = sitk.DICOMOrient(jacobian, "LPS").GetSpacing()
    cases = [
        Case(plane, _text(report) if plane == "axial" else {}, _panels(volumes, change, axis, size))
        for axis, plane, size in _views(spacing)
    ]
    write_report(folder / "report.html", "Registration report", INTRODUCTION, cases[::-1])
    if data.get("modality") in ("PET", "SPECT"):
        write_picture(_overlay(volumes), folder / "overlay.png")


def _views(spacing: tuple[float, ...]) -> list[tuple[int, str, tuple[float, float]]]:
    """Array axis, name and pixel size (rows, columns) of each plane of (H, W, D) slices."""
    x, y, z = spacing
    return [(1, PLANES[0], (z, y)), (0, PLANES[1], (z, x)), (2, PLANES[2], (y, x))]


def _middle(volume: np.ndarray, axis: int, size: tuple[float, float]) -> np.ndarray:
    """The middle slice, head up, stretched to square pixels."""
    view = np.take(volume, volume.shape[axis] // 2, axis=axis)
    if axis != 2:
        view = view.T[::-1]
    step = min(size)
    rows = np.arange(0, view.shape[0], step / size[0]).astype(int)
    columns = np.arange(0, view.shape[1], step / size[1]).astype(int)
    return view[rows][:, columns]


def _panels(
    volumes: dict[str, np.ndarray], change: np.ndarray, axis: int, size: tuple[float, float]
) -> list[Panel]:
    views = {name: _middle(volume, axis, size) for name, volume in volumes.items()}
    panels = [Panel(name, grey(view, 0.0, 1.0)) for name, view in views.items()]
    rows, columns = np.indices(views["fixed"].shape) // 24
    board = np.where((rows + columns) % 2 == 0, views["fixed"], views["warped"])
    panels.append(Panel("checkerboard of fixed and warped", grey(board, 0.0, 1.0)))
    view = _middle(change, axis, size)
    return [*panels, Panel("change of volume (black = none, light = half)", heat(view, 0.5))]


def _text(report: dict[str, Any]) -> dict[str, str]:
    """The figures in words."""
    information, jacobian = report["mutual_information"], report["jacobian"]
    return {
        "mutual information": f"{information['start']} at the start, {information['after']} after",
        "displacement": f"mean {report['displacement_mm']['mean']} mm, largest "
        f"{report['displacement_mm']['max']} mm",
        "change of volume": f"factor {jacobian['min']} to {jacobian['max']}, "
        f"{100 * jacobian['folding']:.2f} % folded",
        "suspicious": " ".join(report["suspicious"]) or "nothing",
    }


def _overlay(volumes: dict[str, np.ndarray]) -> torch.Tensor:
    """The middle axial slice: activity in colours over the fixed volume, (3, H, W), 0 to 255."""
    fixed = _middle(volumes["fixed"], 2, (1.0, 1.0)).clip(0, 1)
    warped = _middle(volumes["warped"], 2, (1.0, 1.0)).clip(0, 1)
    colors = heat(warped, 1.0).astype(np.float64)
    share = 0.7 * warped[..., None]
    mixed = (1 - share) * 255 * fixed[..., None] + share * colors
    return torch.from_numpy(mixed).movedim(-1, 0)
