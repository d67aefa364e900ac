"""What a sample begins with: a painted head, misaligned, after its start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from zipfile import BadZipFile

import numpy as np
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.geometry.transform import displacement_field
from bundle.images.pair import read_pair
from bundle.options import options_of
from bundle.registration import InitializedPair, initialize
from bundle.registration.coarse import CoarsePair, coarse_of, in_voxels
from bundle.registration.combined import cells_of, in_cells
from bundle.training.combiner.plan import Plan
from bundle.training.heads.misalignment import misalignment, moved
from bundle.training.heads.scans import as_scan
from bundle.training.heads.volumes import head_volume_pair


@dataclass(frozen=True)
class PreparedHead:
    """A misaligned pair after its start, which does not depend on how it is registered then.

    Attributes:
        pair: what is registered.
        truth: the field that is wanted, (3, h, w, d), cells of the whole pair, voxels.
        brain: (1, h, w, d), share of each cell.
    """

    pair: CoarsePair
    truth: torch.Tensor
    brain: torch.Tensor


def prepare(plan: Plan) -> PreparedHead:
    """Paint a head, misalign it and start.

    Args:
        plan: what it is made of.
    """
    head = as_scan(head_volume_pair(plan.path, plan.modality, plan.seed), plan.scan, plan.seed)
    truth, backward = misalignment(head.moving, plan.seed, plan.kind)
    options = options_of(modality=plan.modality)
    initial = initialize(read_pair(head.fixed, moved(head.moving, backward), options), options)
    assert isinstance(initial, InitializedPair)
    pair = coarse_of(initial)
    wanted = in_voxels(after_start(truth, initial.start, pair.grid), pair.spacing)
    return PreparedHead(pair, in_cells(wanted, cells_of(pair)), _brain(head.brain, pair))


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


def _brain(brain: sitk.Image, pair: CoarsePair) -> torch.Tensor:
    """Share of each cell that is brain, (1, h, w, d)."""
    there = sitk.Resample(
        brain, pair.grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0, sitk.sitkFloat32
    )
    return in_cells(np.moveaxis(sitk.GetArrayFromImage(there), 0, 2)[None], cells_of(pair))


def write_prepared(prepared: PreparedHead, path: Path) -> None:
    """Write a prepared head: images in 256 steps, fields in half precision."""
    pair, grid = prepared.pair, prepared.pair.grid
    parts = {
        "image": (pair.image * 255).round().byte().numpy(),
        "head": pair.head.numpy(),
        "spacing": np.array(pair.spacing),
        "size": np.array(grid.GetSize()),
        "origin": np.array(grid.GetOrigin()),
        "step": np.array(grid.GetSpacing()),
        "direction": np.array(grid.GetDirection()),
    }
    cells = {name: getattr(prepared, name) for name in ("truth", "brain")}
    write_arrays(
        parts | {name: part.numpy().astype(np.float16) for name, part in cells.items()}, path
    )


def read_prepared(path: Path) -> PreparedHead:
    """Read what :func:`write_prepared` wrote.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with np.load(path) as parts:
            grid = sitk.Image(parts["size"].tolist(), sitk.sitkUInt8)
            grid.SetOrigin(parts["origin"].tolist())
            grid.SetSpacing(parts["step"].tolist())
            grid.SetDirection(parts["direction"].tolist())
            rows, columns, slices = parts["spacing"].tolist()
            image = torch.from_numpy(parts["image"]).float() / 255
            head = torch.from_numpy(parts["head"])
            pair = CoarsePair(image, head, (rows, columns, slices), grid)
            names = ("truth", "brain")
            return PreparedHead(pair, *(torch.from_numpy(parts[name]).float() for name in names))
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(f"{path}: cannot be read as a prepared head; delete it") from error


def write_arrays(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Write arrays as one file, whole or not at all."""
    staging = path.with_suffix(".tmp.npz")
    np.savez_compressed(staging, **cast(dict[str, Any], arrays))
    staging.replace(path)
