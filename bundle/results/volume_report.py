"""``report.json``, the QC page and the colour overlay of a registered volume pair."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.geometry.fields import warp
from bundle.images.pictures import write_picture
from bundle.results.page import Case, Panel, grey, heat, write_report
from bundle.registration.consistency import mean_jump
from bundle.results.measures import figures, warnings
from bundle.geometry.slices import from_slices, to_slices
from bundle.geometry.transform import jacobian_determinant
from bundle.results.views import View, grid_lines, histogram, panels, views

INTRODUCTION = (
    "Three planes through the middle of the head. Move the slider, or blink, between 'fixed' and "
    "the moving volume: edges should stay where they are. In the checkerboard, contours should "
    "run on across the squares. Axial and coronal planes show the patient's right on the left. "
    "Research use only: not a medical device."
)


def write_volume_report(
    data: dict[str, Any],
    grid: sitk.Image,
    field: sitk.Image,
    folder: Path,
    parameters: Mapping[str, Any],
) -> list[str]:
    """Write ``report.json``, ``report.html`` and, for PET and SPECT, ``overlay.png``.

    Args:
        data: a record with ``image`` (2, H, W, D), ``ddf``, ``fused``, ``head``, ``start``,
            ``plane``, ``overlap``, ``notes``, ``began``, and ``uncertainty`` if known; of a
            refined pair ``refinement`` (see :class:`bundle.workflow.RefineFieldd`) and
            ``refined``, the moving channel of ``image`` by all fields.
        grid: the fixed volume.
        field: the total ITK displacement field, millimetres.
        folder: where to.
        parameters: what the run was set to.

    Returns:
        what is suspicious, a sentence each; the report says it too.
    """
    shown, spacing = _shown(data, grid, field), sitk.DICOMOrient(grid, "LPS").GetSpacing()
    report = {
        "modality": data.get("modality"),
        "parameters": {**parameters, "plane": data["plane"]},
        "start": np.round(data["start"].numpy(), 6).tolist(),
        "overlap": round(float(data["overlap"]), 4),
        "field_kept": bool((data["ddf"] != 0).any()),
        "refinement": data.get("refinement", {"method": "none"}),
        **figures({name: values for name, values in shown.items() if name != "fused"}),
        "jump_between_slices_voxels": round(mean_jump(data["ddf"][None].cpu()), 4),
        "seconds": round(time.time() - float(data["began"]), 1),
    }
    report["suspicious"] = [*filter(None, data["notes"].split("\n")), *warnings(report)]
    text = json.dumps(report, indent=1, allow_nan=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    lines, planes = grid_lines(field), views(shown["head"], spacing)
    cases = [
        Case(
            view.name,
            panels=panels(view, shown, lines),
            compare=[
                Panel(name, grey(view.cut(shown[name]), 0.0, 1.0))
                for name in ("fixed", "warped", "start")
            ],
        )
        for view in planes
    ]
    summary = Case("Result", _text(report), [histogram(shown["displacement"][shown["head"]])])
    write_report(folder / "report.html", "Registration report", INTRODUCTION, [summary, *cases])
    if data.get("modality") in ("PET", "SPECT"):
        write_picture(_overlay(shown, planes[0]), folder / "overlay.png")
    return report["suspicious"]


def _shown(data: dict[str, Any], grid: sitk.Image, field: sitk.Image) -> dict[str, np.ndarray]:
    """What is measured and shown, each as axial slices (H, W, D)."""
    image, ddf = data["image"].cpu(), data["ddf"].cpu()
    if "refined" in data:
        warped = data["refined"]
    else:
        warped = warp(image[1].movedim(-1, 0)[:, None], ddf.movedim(-1, 0))[:, 0].movedim(0, -1)
    volumes = {"fixed": image[:1], "start": image[1:], "warped": warped[None]}
    for name in ("fused", "head", "uncertainty"):
        if name in data:
            volumes[name] = data[name].cpu()
    if data["plane"] != "axial":
        volumes = {
            name: to_slices(from_slices(values, grid, data["plane"]))
            for name, values in volumes.items()
        }
    volumes["displacement"] = to_slices(sitk.VectorMagnitude(field))
    volumes["jacobian"] = to_slices(jacobian_determinant(field))
    found = {name: values[0].double().numpy() for name, values in volumes.items()}
    head = found["head"] > 0.5
    return {**found, "head": head if head.any() else np.ones_like(head)}


def _text(report: Mapping[str, Any]) -> dict[str, str]:
    """The figures in words."""
    information, jacobian = report["mutual_information"], report["jacobian"]
    displacement = report["displacement_mm"]
    text = {
        "registered by": _steps(report),
        "suspicious": " ".join(report["suspicious"]) or "nothing",
        "mutual information in the head": f"{information['start']} at the start, "
        f"{information['after']} after",
        "displacement": f"mean {displacement['mean']} mm, largest {displacement['max']} mm",
        "change of volume": f"factor {jacobian['min']} to {jacobian['max']}, "
        f"{100 * jacobian['folding']:.2f} % folded",
        "overlap": f"{100 * report['overlap']:.0f} % of the fixed head",
        "time": f"{report['seconds']} s",
    }
    if "uncertainty_mm" in report:
        uncertainty = report["uncertainty_mm"]
        text["uncertainty (spread of ten fields)"] = (
            f"mean {uncertainty['mean']} mm, 95 % below {uncertainty['p95']} mm"
        )
    return text


def _steps(report: Mapping[str, Any]) -> str:
    """What the result is made of, in order."""
    if not report["parameters"].get("registration", True):
        return "nothing: fused as they lie"
    init = report["parameters"].get("init", "none")
    steps = ["headers" if init == "none" else f"{init} start"]
    if report["field_kept"]:
        steps.append("network, slice by slice")
    if report["refinement"].get("kept"):
        steps.append("B-spline in 3D")
    return ", then ".join(steps)


def _overlay(shown: Mapping[str, np.ndarray], view: View) -> torch.Tensor:
    """One plane: activity in colours over the fixed volume, (3, H, W), 0 to 255."""
    fixed, warped = (view.cut(shown[name]).clip(0, 1) for name in ("fixed", "warped"))
    colors = heat(warped, 1.0).astype(np.float64)
    share = 0.7 * warped[..., None]
    mixed = (1 - share) * 255 * fixed[..., None] + share * colors
    return torch.from_numpy(mixed).movedim(-1, 0)
