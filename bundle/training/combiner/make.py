"""Make a sample: paint a head, misalign it, register it, and keep both fields and the true one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import SimpleITK as sitk
import torch

from bundle.geometry.transform import displacement_field
from bundle.images.pair import read_pair
from bundle.options import options_of
from bundle.registration import InitializedPair, initialize
from bundle.registration.coarse import CoarsePair, coarse_of, in_voxels
from bundle.registration.combined import WEIGHTS, cells_of, head_box, in_cells, two_fields
from bundle.registration.optimised import optimised_field
from bundle.registration.three_planes import three_plane_field
from bundle.training.combiner.plan import Plan
from bundle.training.heads.misalignment import misalignment, moved
from bundle.training.heads.scans import as_scan
from bundle.training.heads.volumes import HeadPair, head_volume_pair


@torch.no_grad()
def make_sample(plan: Plan, network: Any) -> dict[str, np.ndarray]:
    """Make a sample.

    Args:
        plan: what it is made of.
        network: see :func:`bundle.networks.load_network`.

    Returns:
        ``image`` (2, 2 h, 2 w, 2 d), uint8; the other parts of
        :class:`bundle.networks.field_combiner.TwoFields` without their first axis; ``truth`` (3, h,
        w, d), the displacements that are wanted, in voxels of the images; ``brain`` (1, h, w, d),
        share of each cell: float16.
    """
    head = as_scan(head_volume_pair(plan.path, plan.modality, plan.seed), plan.scan, plan.seed)
    truth, backward = misalignment(head.moving, plan.seed, plan.kind)
    options = options_of(modality=plan.modality)
    loaded = read_pair(head.fixed, moved(head.moving, backward), options)
    initial = initialize(loaded, options)
    assert isinstance(initial, InitializedPair)
    pair = coarse_of(initial)
    optimised = optimised_field(pair)
    assert optimised is not None  # heads and slabs are thick enough
    fields = two_fields(pair, three_plane_field(pair, network), optimised, WEIGHTS[plan.modality])
    wanted = in_voxels(after_start(truth, initial.start, pair.grid), pair.spacing)
    near = (slice(None), *head_box(pair))
    half = {
        name: getattr(fields, name)[0].numpy().astype(np.float16)
        for name in ("head", "learnt", "optimised", "spread", "weights")
    }
    return half | {
        "image": (fields.image[0] * 255).round().byte().numpy(),
        "truth": in_cells(wanted, cells_of(pair))[near].numpy().astype(np.float16),
        "brain": _brain(head, pair)[near].astype(np.float16),
    }


def after_start(truth: sitk.Transform, start: np.ndarray, grid: sitk.Image) -> sitk.Image:
    """The field that is wanted after a linear start: ``start(p + u(p)) = truth(p)``.

    Args:
        truth: fixed to moving points, mm, LPS.
        start: 4 x 4, the same.
        grid: of the field.

    Returns:
        ITK displacement field, mm, LPS, pull-back.
    """
    inverse = np.linalg.inv(start)
    total = displacement_field(truth, grid)
    points = sitk.GetArrayFromImage(sitk.PhysicalPointSource(
        sitk.sitkVectorFloat64, grid.GetSize(), grid.GetOrigin(), grid.GetSpacing(),
        grid.GetDirection(),
    ))  # fmt: skip
    moved = points + sitk.GetArrayFromImage(total)
    wanted = moved @ inverse[:3, :3].T + inverse[:3, 3] - points
    field = sitk.GetImageFromArray(wanted, isVector=True)
    field.CopyInformation(total)
    return field


def _brain(head: HeadPair, pair: CoarsePair) -> np.ndarray:
    """Share of each cell that is brain, (1, h, w, d)."""
    there = sitk.Resample(
        head.brain, pair.grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0, sitk.sitkFloat32
    )
    return in_cells(np.moveaxis(sitk.GetArrayFromImage(there), 0, 2)[None], cells_of(pair)).numpy()


def write_sample(sample: dict[str, np.ndarray], path: Path) -> None:
    """Write a sample, whole or not at all."""
    staging = path.with_suffix(".tmp.npz")
    np.savez_compressed(staging, **cast(dict[str, Any], sample))
    staging.replace(path)
