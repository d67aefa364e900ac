"""Pairs changed in ways that training does not show, and what the network makes of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from bundle.domain import REFERENCE_SIZE
from bundle.metrics.displacement import displacement
from bundle.metrics.endpoint_error import endpoint_error
from bundle.metrics.folding import folding

LARGEST = 0.35  # of the longest side: a displacement beyond is no registration any more


@dataclass(frozen=True)
class Case:
    """One pair as the network sees it.

    Attributes:
        fixed: (1, 1, H, W) in [0, 1].
        moving: as ``fixed``.
        true_ddf: (1, 2, H, W), voxels, ij, pull-back; None where there is no right answer.
        patient: whose pair it is.
    """

    fixed: torch.Tensor
    moving: torch.Tensor
    true_ddf: torch.Tensor | None = None
    patient: Hashable = None


Change = Callable[[Case, Case], Case]


def _scaled(case: Case, factor: float) -> Case:
    def resize(image: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(
            image, scale_factor=factor, mode="bilinear", align_corners=False, antialias=True
        )

    truth = None if case.true_ddf is None else resize(case.true_ddf) * factor
    return Case(resize(case.fixed), resize(case.moving), truth)


def _noisy(case: Case, std: float) -> Case:
    generator = torch.Generator().manual_seed(0)

    def add(image: torch.Tensor) -> torch.Tensor:
        return (image + std * torch.randn(image.shape, generator=generator)).clamp(0, 1)

    return Case(add(case.fixed), add(case.moving), case.true_ddf)


def _turned(case: Case) -> Case:
    """A quarter turn of the whole pair; the components of the field turn along."""
    fixed, moving = (torch.rot90(image, 1, (2, 3)) for image in (case.fixed, case.moving))
    if case.true_ddf is None:
        return Case(fixed, moving)
    i, j = torch.rot90(case.true_ddf, 1, (2, 3)).unbind(dim=1)
    return Case(fixed, moving, torch.stack([-j, i], dim=1))


STRANGER = "moving of another patient"
CHANGES: dict[str, Change] = {
    "unchanged": lambda case, _: case,
    "noise, 5 % of white": lambda case, _: _noisy(case, 0.05),
    "noise, 10 % of white": lambda case, _: _noisy(case, 0.10),
    "MRI, gamma 0.5": lambda case, _: Case(case.fixed**0.5, case.moving, case.true_ddf),
    "MRI, gamma 2": lambda case, _: Case(case.fixed**2, case.moving, case.true_ddf),
    "moving, gamma 0.5": lambda case, _: Case(case.fixed, case.moving**0.5, case.true_ddf),
    "moving, gamma 2": lambda case, _: Case(case.fixed, case.moving**2, case.true_ddf),
    "MRI inverted": lambda case, _: Case(1 - case.fixed, case.moving, case.true_ddf),
    "half resolution": lambda case, _: _scaled(case, 0.5),
    "upsampled twice": lambda case, _: _scaled(case, 2.0),
    "turned by 90 degrees": lambda case, _: _turned(case),
    "moving identical to fixed": lambda case, _: Case(
        case.fixed, case.fixed, torch.zeros(1, 2, *case.fixed.shape[-2:])
    ),
    STRANGER: lambda case, other: Case(case.fixed, other.moving),
    "moving blank": lambda case, _: Case(case.fixed, torch.zeros_like(case.moving)),
    "both blank": lambda case, _: Case(torch.zeros_like(case.fixed), torch.zeros_like(case.moving)),
}


def examine(cases: Sequence[Case], change: Change, infer: Any) -> dict[str, float]:
    """Change every pair, register and fuse it, and look at what comes out.

    Args:
        cases: the pairs; beside each is put the next one of another patient, of any modality, or
            itself where there is none.
        change: one of :data:`CHANGES`.
        infer: takes (1, 2, H, W) in [0, 1], gives (1, 3, H, W): fused, ddf_i, ddf_j.

    Returns:
        ``EPE_before`` and ``EPE`` (mean, px of 256, NaN without a right answer), ``moved`` (mean
        displacement in the head, px of 256), ``largest`` (largest displacement, share of the
        longest side), ``folding`` (largest share), ``not_finite`` (number of pairs with any such
        value in field or fusion).
    """
    found = []
    for index, case in enumerate(cases):
        following = [*cases[index:], *cases[:index]]
        other = next((one for one in following if one.patient != case.patient), case)
        changed = change(case, other)
        with torch.no_grad():
            output = infer(torch.cat([changed.fixed, changed.moving], dim=1)).float()
        found.append(_look(changed, output[:, 1:], bool(output.isfinite().all())))
    columns = {name: torch.tensor([row[name] for row in found]) for name in found[0]}
    extremes = {name: float(columns.pop(name).max()) for name in ("largest", "folding")}
    count = float(columns.pop("not_finite").sum())
    return {
        **{name: float(column.nanmean()) for name, column in columns.items()},
        **extremes,
        "not_finite": count,
    }


def _look(case: Case, ddf: torch.Tensor, finite: bool) -> dict[str, float]:
    side = max(ddf.shape[-2:])
    ratio, nothing = REFERENCE_SIZE / side, torch.zeros_like(ddf)
    # a black picture shows no head, an inverted one is all head: there the frame counts
    mask = case.fixed * 255 if case.fixed.any() else torch.full_like(case.fixed, 255.0)
    values = {"EPE_before": float("nan"), "EPE": float("nan")}
    if case.true_ddf is not None:
        for name, field in (("EPE_before", nothing), ("EPE", ddf)):
            values[name] = float(endpoint_error(field, case.true_ddf, mask)[0]) * ratio
    return {
        **values,
        "moved": float(displacement(ddf, mask)["displacement"]) * ratio,
        "largest": float(ddf.norm(dim=1).max()) / side,
        "folding": float(folding(ddf)["folding"]),
        "not_finite": float(not finite),
    }


def verdict(values: dict[str, float]) -> str:
    """``ok``, or what is wrong: values that are not finite, folding, or far too long a field."""
    faults = []
    if values["not_finite"]:
        faults.append("not finite")
    if values["folding"] > 0:
        faults.append("folds")
    if not values["largest"] <= LARGEST:
        faults.append("unbounded")
    return ", ".join(faults) or "ok"
