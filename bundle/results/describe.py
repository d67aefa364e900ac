"""Measure a registered and fused pair: the arrays that are measured and shown, and the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import SimpleITK as sitk

from bundle.errors import Remark
from bundle.fusion import FusedPair, FusedPictures, FusedVolumes
from bundle.geometry.jacobian import jacobian_determinant, volume_determinant
from bundle.geometry.picture_head import head_mask
from bundle.geometry.slices import in_plane_of, oriented_grid, to_slices
from bundle.geometry.transform import onto
from bundle.images.color import luma
from bundle.registration import VolumeRegistration
from bundle.registration.bspline import MESH, Refinement
from bundle.registration.elastic_field import ElasticField
from bundle.results.labels import label_means
from bundle.results.report import (
    Report,
    Statistics,
    change,
    determinant,
    result_remarks,
    statistics,
)


@dataclass(frozen=True)
class Shown:
    """A pair of volumes as it is measured and shown.

    Arrays are axial slices (H, W, D), rows from front to back, columns from the patient's right to
    the left. What is smooth is on the grid of about 2 mm on which it is written.

    Attributes:
        fixed: float32 in [0, 1].
        start: the moving volume by the start, likewise.
        warped: by start and field, likewise.
        fused: likewise.
        head: bool, the fixed head; everywhere if none was found.
        counted: bool, the head without what masks leave out: where it is measured.
        grid: an empty volume of these slices in space.
        displacement: the total one, vectors, mm, LPS.
        jacobian: determinant of the total mapping.
        uncertainty: mm, None if it is not known.
    """

    fixed: np.ndarray
    start: np.ndarray
    warped: np.ndarray
    fused: np.ndarray
    head: np.ndarray
    counted: np.ndarray
    grid: sitk.Image
    displacement: sitk.Image
    jacobian: sitk.Image
    uncertainty: sitk.Image | None = None

    def in_head(self, smooth: sitk.Image) -> np.ndarray:
        """The values of what is smooth, or the lengths of its vectors, where it counts, (N,)."""
        head = sitk.GetImageFromArray(np.moveaxis(self.counted, 2, 0).astype(np.uint8))
        head.CopyInformation(self.grid)
        near = sitk.sitkNearestNeighbor
        inside = sitk.GetArrayFromImage(sitk.Resample(head, smooth, sitk.Transform(), near)) > 0
        if smooth.GetNumberOfComponentsPerPixel() > 1:
            smooth = sitk.VectorMagnitude(smooth)
        values = sitk.GetArrayViewFromImage(smooth)
        return values[inside] if inside.any() else values.ravel()


def shown_volumes(fused: FusedVolumes) -> Shown:
    """Bring what is measured and shown of a pair into axial slices."""
    registration = fused.registration
    initial, pair = registration.initial, registration.pair
    fixed, start, warped, head, counted = (
        in_plane_of(values[None], pair.plane, "axial")[0].numpy()
        for values in (
            *initial.image, registration.shown, initial.head[0], registration.counted[0]
        )
    )  # fmt: skip
    field, uncertainty = registration.mapping.displacement, registration.spread
    head = head > 0 if head.any() else np.ones_like(head, bool)
    return Shown(
        fixed, start, warped, to_slices(fused.fused)[0].numpy(),
        head, counted > 0 if counted.any() else head,
        oriented_grid(pair.fixed.image, "axial"), field, volume_determinant(field),
        None if uncertainty is None else onto(uncertainty, field),
    )  # fmt: skip


def volume_report(fused: FusedVolumes, shown: Shown, parameters: Mapping[str, Any]) -> Report:
    """Measure a pair of volumes in the head.

    Args:
        fused: the result.
        shown: of the same.
        parameters: what the run was set to.
    """
    registration, head = fused.registration, shown.counted
    initial, pair, elastic = registration.initial, registration.pair, registration.elastic
    information, ncc = change(shown.fixed[head], shown.start[head], shown.warped[head])
    report = Report(
        modality=pair.modality,
        parameters={
            **parameters,
            "plane": pair.plane,
            **_made_of(elastic),
        },
        unit="mm",
        mutual_information=information,
        ncc=ncc,
        displacement=statistics(shown.in_head(shown.displacement)),
        jacobian=determinant(shown.in_head(shown.jacobian)),
        field_kept=elastic is not None,
        field_used=round(elastic.used, 4) if elastic else 0.0,
        start=np.round(initial.start, 6).tolist(),
        overlap=round(float(initial.overlap), 4),
        display={"fixed": initial.windows[0], "moving": initial.windows[1]},
        uncertainty=_uncertainty_in_head(shown),
        refinement=_refinement(registration),
        seconds=round(fused.seconds, 1),
        suv=pair.moving.suv,
        labels=tuple(label_means(registration)),
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
        displacement=statistics(registration.ddf.norm(dim=0).numpy()[head]),
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


def _made_of(elastic: ElasticField | None) -> dict[str, Any]:
    """What ``report.json`` says of where the elastic field is from."""
    if elastic is None:
        return {"planes": [], "optimiser": 0.0, "finer": False}
    return {
        "planes": list(elastic.planes),
        "optimiser": elastic.optimiser,
        "finer": elastic.finer,
    }


def _uncertainty_in_head(shown: Shown) -> Statistics | None:
    return None if shown.uncertainty is None else statistics(shown.in_head(shown.uncertainty))


def _with_remarks(report: Report, remarks: Iterable[Remark]) -> Report:
    found = [*remarks, *result_remarks(report)]
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
