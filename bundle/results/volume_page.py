"""The page ``report.html`` and the colour overlay of a registered pair of volumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from bundle.results.describe import Shown
from bundle.results.page import Case, Panel, grey, heat, write_report
from bundle.results.report import Report
from bundle.results.views import grid_lines, histogram, panels, views

INTRODUCTION = (
    "Three planes through the middle of the head. Move the slider, or blink, between 'fixed' and "
    "the moving volume: edges should stay where they are. In the checkerboard, contours should "
    "run on across the squares. Axial and coronal planes show the patient's right on the left. "
    "Research use only: not a medical device."
)


def write_page(path: Path, report: Report, shown: Shown, field: sitk.Image) -> None:
    """Write the page.

    Args:
        path: the ``.html`` file.
        report: the measures.
        shown: the volumes.
        field: the total displacement field, mm, LPS, on the fixed grid.
    """
    lines = grid_lines(field)
    compared = {"fixed": shown.fixed, "warped": shown.warped, "start": shown.start}
    cases = [
        Case(
            view.name,
            panels=panels(view, shown, lines),
            compare=[Panel(n, grey(view.cut(v), 0.0, 1.0)) for n, v in compared.items()],
        )
        for view in views(shown.head, _spacing(field))
    ]
    summary = Case("Result", _text(report), [histogram(shown.displacement[shown.head])])
    write_report(path, "Registration report", INTRODUCTION, [summary, *cases])


def overlay(shown: Shown, field: sitk.Image) -> torch.Tensor:
    """The axial plane: activity in colours over the fixed volume, (3, H, W), 0 to 255."""
    view = views(shown.head, _spacing(field))[0]
    fixed, warped = (view.cut(values).clip(0, 1) for values in (shown.fixed, shown.warped))
    colors = heat(warped, 1.0).astype(np.float64)
    share = 0.7 * warped[..., None]
    mixed = (1 - share) * 255 * fixed[..., None] + share * colors
    return torch.from_numpy(mixed).movedim(-1, 0)


def _spacing(field: sitk.Image) -> tuple[float, ...]:
    """Millimetres along x, y and z."""
    return sitk.DICOMOrient(field, "LPS").GetSpacing()


def _text(report: Report) -> dict[str, str]:
    """The figures in words."""
    information, jacobian = report.mutual_information, report.jacobian
    suspicious = " ".join(one.text for one in report.warnings)
    text = {
        "registered by": _steps(report),
        "suspicious": suspicious or "nothing",
        **({"notes": " ".join(one.text for one in report.notes)} if report.notes else {}),
        "mutual information in the head": f"{information.start} at the start, "
        f"{information.after} after",
        "displacement": f"mean {report.displacement.mean} mm, largest {report.displacement.max} mm",
        "change of volume": f"factor {jacobian.min} to {jacobian.max}, "
        f"{100 * jacobian.folding:.2f} % folded",
        "overlap": f"{100 * (report.overlap or 0):.0f} % of the fixed head",
        "time": f"{report.seconds} s",
    }
    if report.uncertainty is not None:
        text["uncertainty (how much the estimates differ)"] = (
            f"mean {report.uncertainty.mean} mm, 95 % below {report.uncertainty.p95} mm"
        )
    return text


def _steps(report: Report) -> str:
    """What the result is made of, in order."""
    init = report.parameters.get("init", "none")
    refined = bool(report.refinement.get("kept"))
    if report.parameters.get("rigid_only") and init == "none" and not refined:
        return "nothing: fused as they lie"
    steps = ["headers" if init == "none" else f"{init} start"]
    if report.field_kept:
        planes = report.parameters.get("planes", ())
        steps.append(f"network, in {', '.join(planes)} slices")
    if refined:
        steps.append("B-spline in 3D")
    return ", then ".join(steps)
