"""Measure a registered and fused pair: the arrays that are measured and shown, and the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import SimpleITK as sitk

from bundle.errors import Remark
from bundle.fusion import FusedPair, FusedPictures, FusedVolumes
from bundle.geometry.head import head_mask
from bundle.geometry.jacobian import jacobian_determinant, volume_determinant
from bundle.geometry.slices import in_plane_of, to_slices
from bundle.images.color import luma
from bundle.images.pair import VolumePair
from bundle.registration import VolumeRegistration
from bundle.registration.bspline import MESH, Refinement
from bundle.results.report import Report, change, determinant, result_warnings, spread

UNITS = {"GML": "SUV (g/ml)", "BQML": "Bq/ml", "CNTS": "counts", "CPS": "counts/s"}
"""Of a DICOM header's attribute Units."""

UNKNOWN_UNIT = "arbitrary units"


@dataclass(frozen=True)
class Shown:
    """A pair of volumes as it is measured and shown: axial slices (H, W, D), rows from front to
    back, columns from the patient's right to the left; float32.

    Attributes:
        fixed: in [0, 1].
        start: the moving volume by the start, in [0, 1].
        warped: by start and field, in [0, 1].
        fused: in [0, 1].
        displacement: length of the total displacement, mm.
        jacobian: determinant of the total mapping.
        head: bool, the fixed head; everywhere if none was found.
        counted: bool, the head without what masks leave out: where it is measured.
        uncertainty: mm, None if it is not known.
    """

    fixed: np.ndarray
    start: np.ndarray
    warped: np.ndarray
    fused: np.ndarray
    displacement: np.ndarray
    jacobian: np.ndarray
    head: np.ndarray
    counted: np.ndarray
    uncertainty: np.ndarray | None = None


def shown_volumes(fused: FusedVolumes) -> Shown:
    """Bring what is measured and shown of a pair into axial slices."""
    registration = fused.registration
    initial, pair = registration.initial, registration.pair
    fixed, start = initial.image
    in_plane = {"fixed": fixed, "start": start, "warped": registration.shown}
    in_plane |= {"head": initial.head[0], "counted": registration.counted[0]}
    found = {
        name: in_plane_of(values[None], pair.plane, "axial")[0].float().numpy()
        for name, values in in_plane.items()
    }
    head, counts = found.pop("head") > 0.5, found.pop("counted") > 0.5
    head = head if head.any() else np.ones_like(head)
    on_grid = {
        "fused": fused.fused,
        "displacement": sitk.VectorMagnitude(registration.field),
        "jacobian": volume_determinant(registration.field),
        "uncertainty": registration.uncertainty,
    }
    found |= {n: to_slices(v)[0].float().numpy() for n, v in on_grid.items() if v is not None}
    return Shown(head=head, counted=counts if counts.any() else head, **found)


def unit_of(pair: VolumePair) -> str:
    """The unit of the moving volume's values, as far as its values or its header tell it."""
    if pair.hounsfield[1]:
        return "HU"
    header = pair.moving.header
    if header is None:
        return UNKNOWN_UNIT
    counts = "counts" if header.get("Modality") == "NM" else UNKNOWN_UNIT
    return UNITS.get(str(header.get("Units", "")), counts)


def volume_report(fused: FusedVolumes, shown: Shown, parameters: Mapping[str, Any]) -> Report:
    """Measure a pair of volumes in the head.

    Args:
        fused: the result.
        shown: of the same.
        parameters: what the run was set to.
    """
    registration, head = fused.registration, shown.counted
    initial, pair = registration.initial, registration.pair
    information, ncc = change(shown.fixed[head], shown.start[head], shown.warped[head])
    report = Report(
        modality=pair.modality,
        parameters={
            **parameters,
            "plane": pair.plane,
            "planes": list(registration.planes),
            "optimiser": registration.optimiser,
        },
        unit="mm",
        mutual_information=information,
        ncc=ncc,
        displacement=spread(shown.displacement[head]),
        jacobian=determinant(shown.jacobian[head]),
        field_kept=bool(registration.planes),
        start=np.round(initial.start, 6).tolist(),
        overlap=round(float(initial.overlap), 4),
        display={"fixed": initial.windows[0], "moving": initial.windows[1]},
        uncertainty=None if shown.uncertainty is None else spread(shown.uncertainty[head]),
        refinement=_refinement(registration),
        seconds=round(fused.seconds, 1),
    )
    return _with_remarks(report, initial.remarks)


def picture_report(fused: FusedPictures, parameters: Mapping[str, Any]) -> Report:
    """Measure a pair of pictures in the head, see :func:`volume_report`."""
    registration = fused.registration
    head = head_mask(255 * registration.image[None, :1])[0].numpy()
    head = head if head.any() else np.ones_like(head)
    fixed, start = registration.image.double().numpy()
    warped = (luma(registration.warped)[0] / 255).clamp(0, 1).numpy()
    information, ncc = change(fixed[head], start[head], warped[head])
    report = Report(
        modality=registration.pair.modality,
        parameters=parameters,
        unit="px",
        mutual_information=information,
        ncc=ncc,
        displacement=spread(registration.ddf.norm(dim=0).numpy()[head]),
        jacobian=determinant(jacobian_determinant(registration.ddf[None])[0].numpy()[head]),
        field_kept=bool((registration.ddf != 0).any()),
        seconds=round(fused.seconds, 1),
    )
    return _with_remarks(report, registration.pair.remarks)


def describe(fused: FusedPair, parameters: Mapping[str, Any]) -> Report:
    """The report of any pair."""
    if isinstance(fused, FusedPictures):
        return picture_report(fused, parameters)
    return volume_report(fused, shown_volumes(fused), parameters)


def _with_remarks(report: Report, remarks: Iterable[Remark]) -> Report:
    found = [*remarks, *result_warnings(report)]
    return replace(
        report,
        notes=tuple(one for one in found if not one.warning),
        warnings=tuple(one for one in found if one.warning),
    )


def _refinement(registration: VolumeRegistration) -> dict[str, Any]:
    """What ``report.json`` says of the B-spline step."""
    found: Refinement | None = registration.refinement
    if found is None:
        return {"method": "none"}
    before, after = (round(value, 6) for value in found.information)
    return {
        "method": "bspline",
        "mesh_mm": MESH,
        "kept": found.kept,
        **({} if found.kept else {"reason": found.reason}),
        "mutual_information": {"before": before, "after": after},
        "folding": round(found.folding, 6),
        "seconds": round(found.seconds, 1),
    }
