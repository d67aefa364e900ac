"""What one pair is measured by: the network, its control, and the rows to compare it with.

Copying the fixed image, or the maximum of both images without any registration, already scores
high on fusion measures. So every table shows these rows beside the network's own, and the
maximum by the true field as the ceiling of registration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from bundle.fusion.recolor import recolor
from bundle.geometry.warp import warp
from bundle.images.color import ycbcr_to_rgb
from bundle.metrics.anatomy import Anatomy, anatomy_measures
from bundle.metrics.bright import bright_kept
from bundle.metrics.color_difference import color_difference
from bundle.metrics.suite import fusion_measures, registration_measures

METHOD = "BiMSRec"
NO_REGISTRATION = "no registration + maximum"
TRUE_FIELD = "true field + maximum"
CONTROL = "another patient's fixed"
BLEND_WEIGHTS = (0.2, 0.4, 0.6, 0.8, 1.0)

Rows = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Pair:
    """An aligned pair, deformed by a known field; pictures as written to 8-bit files.

    Attributes:
        fixed: (1, 1, H, W), luma 0 to 255, whole numbers.
        aligned: the moving image before its deformation, as ``fixed``.
        deformed: the moving image as handed to the methods, as ``fixed``.
        true_ddf: (1, 2, H, W), voxels, ij, pull-back: ``aligned(x) = deformed(x + ddf(x))``.
        anatomy: labels and landmarks, None where they are not known.
    """

    fixed: torch.Tensor
    aligned: torch.Tensor
    deformed: torch.Tensor
    true_ddf: torch.Tensor
    anatomy: Anatomy | None = None

    def warped(self, ddf: torch.Tensor) -> torch.Tensor:
        """The deformed image pulled back by a field (1, 2, H, W), as inference writes it."""
        return as_written(warp(self.deformed, ddf)).float()

    def fusion(self, fused: torch.Tensor) -> dict[str, float]:
        """Fusion measures of a picture (1, 1, H, W), luma 0 to 255, rounded first."""
        return fusion_measures(as_written(fused), self.fixed, self.aligned)

    def registration(
        self, ddf: torch.Tensor, flows: torch.Tensor | None = None
    ) -> dict[str, float]:
        """Registration measures of a field, and the EPE of the network's single fields."""
        of_anatomy = {}
        if self.anatomy is not None:
            of_anatomy = anatomy_measures(ddf, self.true_ddf, self.anatomy)
        return of_anatomy | registration_measures(
            fixed=self.fixed,
            aligned=self.aligned,
            warped=self.warped(ddf),
            ddf=ddf,
            flows=flows,
            true_ddf=self.true_ddf,
        )


def picture_pair(batch: dict[str, Any]) -> Pair:
    """The pair of a batch of one item as 8-bit pictures, which is what is measured.

    Args:
        batch: ``fixed``, ``aligned``, ``deformed`` (1, C, H, W; luminance first, 0 to 1), ``ddf``
            and, where known, ``labels``, ``deformed_labels`` and ``landmarks``.
    """
    keys = ("fixed", "aligned", "deformed")
    pictures = {key: as_written(batch[key][:, :1] * 255) for key in keys}
    anatomy = None
    if "labels" in batch:
        anatomy = Anatomy(batch["labels"], batch["deformed_labels"], batch["landmarks"][0])
    return Pair(**pictures, true_ddf=batch["ddf"], anatomy=anatomy)


def color_terms(fused: torch.Tensor, deformed: torch.Tensor, ddf: torch.Tensor) -> dict[str, float]:
    """Delta E of the colour fusion against the warped picture; nothing for a grey moving image.

    Args:
        fused: (1, 1, H, W), luma 0 to 255.
        deformed: (1, 3, H, W), Y, Cb, Cr, 0 to 1.
        ddf: (1, 2, H, W).
    """
    if not deformed[:, 1:].any():
        return {}
    warped = as_written(ycbcr_to_rgb(warp(deformed, ddf)[0] * 255)).float()
    colored = as_written(recolor(as_written(fused)[0], warped))
    return {"Delta_E": color_difference(colored[None], warped[None])["Delta_E"].item()}


def as_written(image: torch.Tensor) -> torch.Tensor:
    """The values that an 8-bit picture file keeps of an image on the scale 0 to 255."""
    return image.round().clamp(0, 255)


def method_row(pair: Pair, fused: torch.Tensor, ddf: torch.Tensor, flows: torch.Tensor) -> Rows:
    """The network's own row.

    Args:
        pair: the pair.
        fused: (1, 1, H, W), luma 0 to 255.
        ddf: the field handed out, (1, 2, H, W), voxels, ij, pull-back.
        flows: all fields, (1, N, 2, H, W), flow_1 first.

    Returns:
        row name to measures.
    """
    bright = bright_kept(as_written(fused), pair.warped(ddf))["Bright"].item()
    return {METHOD: pair.fusion(fused) | {"Bright": bright} | pair.registration(ddf, flows)}


def copy_rows(pair: Pair) -> Rows:
    """Each input handed out as the fusion."""
    return {
        "copy of fixed": pair.fusion(pair.fixed),
        "copy of moving": pair.fusion(pair.deformed),
    }


def known_field_rows(pair: Pair) -> Rows:
    """Maximum fusion without registration (zero field) and with the true field."""
    fields = {NO_REGISTRATION: torch.zeros_like(pair.true_ddf), TRUE_FIELD: pair.true_ddf}
    return {
        name: pair.fusion(torch.maximum(pair.fixed, pair.warped(ddf))) | pair.registration(ddf)
        for name, ddf in fields.items()
    }


def blend_rows(pair: Pair, ddf: torch.Tensor) -> Rows:
    """w max(fixed, warped) + (1 - w) fixed with the network's own field, for several w."""
    maximum = torch.maximum(pair.fixed, pair.warped(ddf))
    return {
        f"own warped + blend w={weight}": pair.fusion(torch.lerp(pair.fixed, maximum, weight))
        for weight in BLEND_WEIGHTS
    }


def control_row(pair: Pair, ddf: torch.Tensor) -> Rows:
    """Registration by the field that the network gave beside another patient's fixed image.

    It must be clearly worse than the method's row; else the network reads the misalignment out
    of the moving image alone. Fixed image and mask of the measures are the pair's own.
    """
    return {CONTROL: pair.registration(ddf)}
