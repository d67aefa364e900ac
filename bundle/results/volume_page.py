"""The page ``report.html`` and the colour overlay of a registered pair of volumes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from markupsafe import Markup

from bundle.fusion import FusedVolumes, color_table, colored_over
from bundle.registration.combined import LEARNT
from bundle.results.describe import Shown
from bundle.results.page import TEMPLATES, Case, Panel, grey, short, write_page
from bundle.results.report import Report, facts, rounded
from bundle.results.units import shown_unit
from bundle.results.viewer import layers, viewer_data
from bundle.results.views import histogram, panels, views

NIIVUE = TEMPLATES / "vendor" / "niivue.umd.js"


@dataclass(frozen=True)
class ColorBar:
    """What the colours of the moving volume stand for.

    Attributes:
        colors: uint8 (1, 256, 3).
        ticks: values from the first colour to the last one, with their unit.
    """

    colors: np.ndarray
    ticks: tuple[str, ...]


def write_volume_page(
    path: Path, report: Report, fused: FusedVolumes, shown: Shown, colormap: str
) -> None:
    """Write the page: a viewer, and still pictures for browsers without WebGL.

    Args:
        path: the ``.html`` file.
        report: the measures.
        fused: the pair.
        shown: the same in axial slices.
        colormap: matplotlib's name of the moving volume's colours.
    """
    registration = fused.registration
    compared = {"fixed": shown.fixed, "warped": shown.warped, "start": shown.start}
    stills = [
        Case(
            view.name,
            panels=panels(view, shown),
            compare=[Panel(n, grey(view.cut(v), 0.0, 1.0)) for n, v in compared.items()],
        )
        for view in views(shown.head, shown.grid.GetSpacing())
    ]
    found = layers(fused, shown, colormap)
    write_page(
        path,
        "volume.html",
        title="Registration report",
        introduction="Research use only: not a medical device.",
        facts=facts(report, registration.pair.began),
        report=report,
        figures=_text(report),
        bar=_color_bar(fused, colormap),
        colormap=colormap,
        layers=found,
        data=viewer_data(found, colormap),
        library=_library(),
        histogram=histogram(shown.in_head(shown.displacement)),
        cases=stills,
    )


def overlay(shown: Shown, colormap: str) -> torch.Tensor:
    """The axial plane: activity in a colour map over the fixed volume, (3, H, W), 0 to 255."""
    view = views(shown.head, shown.grid.GetSpacing())[0]
    fixed, warped = (view.cut(values).clip(0, 1) for values in (shown.fixed, shown.warped))
    mixed = colored_over(fixed, warped, color_table(colormap))
    return torch.from_numpy(mixed).movedim(-1, 0)


@lru_cache(maxsize=1)
def _library() -> Markup:
    """NiiVue, which the page holds; the file is the one whose sum lies beside it."""
    code = NIIVUE.read_bytes()
    sum_ = NIIVUE.with_name(NIIVUE.name + ".sha256").read_text(encoding="utf-8").split()[0]
    if hashlib.sha256(code).hexdigest() != sum_:
        raise OSError(f"{NIIVUE}: is not the file that was shipped; install the bundle anew")
    return Markup(code.decode("utf-8"))


def _color_bar(fused: FusedVolumes, colormap: str) -> ColorBar:
    factor, unit = shown_unit(fused.registration.pair)
    *ticks, last = _ticks(*(factor * value for value in fused.registration.initial.windows[1]))
    return ColorBar(color_table(colormap)[None], (*ticks, f"{last} {unit}"))


def _ticks(lower: float, upper: float) -> list[str]:
    """Both ends and the middle: few enough to stand beside each other, whole where they can be."""
    whole = upper - lower > 10
    values = (lower, (lower + upper) / 2, upper)
    return [str(round(value)) if whole else short(value) for value in values]


def _text(report: Report) -> dict[str, str]:
    """The figures in words."""
    information, jacobian = report.mutual_information, report.jacobian
    text = {
        "registered by": _steps(report),
        "mutual information in the head": f"{rounded(information.start, 3)} at the start, "
        f"{rounded(information.after, 3)} after",
        "displacement": f"mean {report.displacement.mean:.1f} mm, "
        f"largest {report.displacement.max:.1f} mm",
        "change of volume": f"factor {jacobian.min:.2f} to {jacobian.max:.2f} "
        "(1: unchanged, 0 or less: folded), "
        f"{100 * jacobian.folding:.2f} % folded",
        "overlap": f"{100 * (report.overlap or 0):.0f} % of the fixed head",
        "time": f"{report.seconds} s",
    }
    if report.uncertainty is not None:
        text["uncertainty of the displacement"] = (
            f"mean {report.uncertainty.mean:.1f} mm, 95 % below {report.uncertainty.p95:.1f} mm"
        )
    if report.suv is not None:
        of = "warped holds them: the file's values" if report.suv.applied else "warped"
        text["standardised uptake values"] = (
            f"{of} * {report.suv.factor:.6g}, from {report.suv.method}"
        )
    return text


def _steps(report: Report) -> str:
    """What the result is made of, in order."""
    init = report.parameters.get("init", "none")
    refined = bool(report.refinement.get("kept"))
    trusted = init in ("header", "none")
    if report.parameters.get("rigid_only") and trusted and not refined:
        return "nothing: fused as they lie"
    steps = ["headers" if trusted else f"{init} start"]
    if report.field_kept:
        planes = report.parameters.get("planes", ())
        steps.append(f"network, in {', '.join(planes)} slices")
        if report.parameters.get("optimiser"):
            corrected = ", corrected by a network" if report.modality in LEARNT else ""
            steps.append(f"weighted sum with the field of an optimiser{corrected}")
        if report.parameters.get("finer"):
            steps.append("B-spline on voxels of 1 mm")
    if refined:
        steps.append("B-spline in 3D")
    return ", then ".join(steps)
