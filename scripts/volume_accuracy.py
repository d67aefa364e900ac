"""Measure how well volumes are registered, on seeded misalignments of aligned pairs.

Run from the repository root, with volumes that are aligned or with the phantom::

    python -m scripts.volume_accuracy --fixed T1_DICOM --moving PET_DICOM --output_dir OUT
    python -m scripts.volume_accuracy --phantom CT --seeds 5 --bspline --ants

Each seed moves the moving volume by a rigid motion and a smooth elastic field; of the phantom
each seed is another head. Prints the mean error in the head in mm, and on the phantom that of
landmarks in mm and Dice of the labels: of the headers, of the rigid start, with the network; with
``--bspline`` also of a B-spline alone from the start and after the network (``--refine bspline``),
with ``--ants`` of ANTs SyN from the start; and the times. Writes them to ``accuracy.csv``.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")  # antspyx reads it on import

import numpy as np
import SimpleITK as sitk

from bundle.domain import MODALITIES
from bundle.errors import InputError
from bundle.evaluation.baselines.ants import require_ants, syn_volumes
from bundle.evaluation.checks.misalignment import MISALIGNMENTS, misalignment, with_slices
from bundle.evaluation.checks.volume_errors import (
    AlignedPair,
    landmark_error,
    mean_dice,
    mean_error,
    painted_pair,
    phantom_pair,
)
from bundle.geometry.head import find_head, shrunk, widened
from bundle.geometry.slices import on_one_grid
from bundle.geometry.transform import as_transform, resample
from bundle.images.pair import read_pair
from bundle.images.volumes import read_volume
from bundle.networks import load_network
from bundle.options import options_of
from bundle.paths import MODEL
from bundle.registration import VolumeRegistration, register
from bundle.registration.bspline import VOXEL
from bundle.registration.rigid import RIM
from scripts.command import add_options, or_exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if it cannot be done.
    """
    or_exit(_run, _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.volume_accuracy")
    parser.description = "Register seeded misalignments of aligned pairs; print the errors."
    parser.add_argument("--fixed", help="reference volume")
    parser.add_argument("--moving", help="volume aligned with it")
    parser.add_argument("--phantom", choices=MODALITIES, help="heads of the phantom instead")
    parser.add_argument("--heads", type=Path, help="tissue maps, painted, instead")
    parser.add_argument("--output_dir", type=Path, default=Path("out/volume_accuracy"))
    parser.add_argument("--misalignment", choices=MISALIGNMENTS, default="in_plane")
    add_options(parser, "plane", "device")
    parser.add_argument("--modality", choices=MODALITIES, help="modality of the moving volume")
    parser.add_argument("--seeds", type=int, default=10, help="number of misalignments")
    parser.add_argument("--first_seed", type=int, default=0, help="the first of them")
    parser.add_argument("--slices", type=int, help="resample both to this many slices first")
    parser.add_argument("--bspline", action="store_true", help="B-spline alone and after the net")
    parser.add_argument("--ants", action="store_true", help="ANTs SyN as well (needs antspyx)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing table")
    parser.add_argument("--checkpoint", type=Path, default=MODEL)
    return parser


def _run(options: argparse.Namespace) -> None:
    if options.ants:
        require_ants()
    if options.seeds < 1 or options.first_seed < 0:
        raise InputError("--seeds: give at least 1, and a first seed of 0 or more")
    if options.slices is not None and options.slices < 2:
        raise InputError(f"--slices {options.slices}: give at least 2")
    table = options.output_dir / "accuracy.csv"
    if table.exists() and not options.overwrite:
        raise InputError(f"{table}: exists already; name another folder or add --overwrite")
    if options.heads and options.modality is None:
        raise InputError("--heads: name the --modality that is painted")
    given = None if options.phantom or options.heads else _given_pair(options)
    options.output_dir.mkdir(parents=True, exist_ok=True)
    network = load_network(options.checkpoint, options.device)
    rows = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        pair = given or _made_pair(options, seed)
        rows.append({"seed": seed, **_measure(pair, seed, network, options)})
        print("  ".join(f"{name} {value:.2f}" for name, value in rows[-1].items()), flush=True)
        _write_table(rows, table)
    for name in list(rows[0])[1:]:
        values = [row[name] for row in rows]
        print(f"{name:<22} mean {np.mean(values):7.3f}  sd {np.std(values):6.3f}")


def _made_pair(options: argparse.Namespace, seed: int) -> AlignedPair:
    if options.heads:
        return painted_pair(options.heads, options.modality, seed)
    return phantom_pair(options.phantom, seed)


def _given_pair(options: argparse.Namespace) -> AlignedPair:
    if options.fixed is None or options.moving is None:
        raise InputError("name --fixed and --moving, or --phantom, or --heads")
    fixed, moving = read_volume(options.fixed).image, read_volume(options.moving).image
    if not on_one_grid(fixed, moving):
        raise InputError(f"{options.moving}: is on another grid than {options.fixed}")
    if options.slices:
        fixed, moving = (with_slices(volume, options.slices) for volume in (fixed, moving))
    return AlignedPair(fixed, moving, options.modality)


def _measure(
    pair: AlignedPair, seed: int, network: Any, options: argparse.Namespace
) -> dict[str, float]:
    """Errors of every method on one misalignment, and the times."""
    truth, backward = misalignment(pair.moving, seed, options.misalignment)
    lowest = float(sitk.GetArrayViewFromImage(pair.moving).min())
    moving = sitk.Resample(pair.moving, pair.moving, backward, sitk.sitkLinear, lowest)
    found, facts = _by_network(pair, moving, network, options)
    start = found["start"]
    head = find_head(pair.fixed) if pair.where is None else pair.where
    if options.bspline:
        began = time.perf_counter()
        found["bspline"], facts["bspline_kept"] = bspline(pair, moving, start)
        facts["bspline_seconds"] = time.perf_counter() - began
    if options.ants:
        began = time.perf_counter()
        near = widened(head, RIM)
        small = shrunk(pair.fixed, VOXEL)
        mask = sitk.Resample(near, small, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
        found["ants"] = syn_volumes(small, shrunk(moving, VOXEL), mask, start)
        facts["ants_seconds"] = time.perf_counter() - began
    errors = {name: mean_error(transform, truth, head) for name, transform in found.items()}
    if pair.labels is not None and pair.landmarks is not None:
        for name, transform in found.items():
            errors[f"tre_{name}"] = landmark_error(transform, truth, pair.landmarks)
        for name, transform in {**found, "truth": truth}.items():
            errors[f"dice_{name}"] = mean_dice(transform, backward, pair.labels)
    return {**errors, **facts}


def _by_network(
    pair: AlignedPair, moving: sitk.Image, network: Any, options: argparse.Namespace
) -> tuple[dict[str, sitk.Transform], dict[str, float]]:
    """What the command's registration finds: headers, start, network, B-spline after it."""
    given = options_of(
        modality=pair.modality,
        plane=options.plane,
        refine="bspline" if options.bspline else "none",
    )
    began = time.perf_counter()
    registration = register(read_pair(pair.fixed, moving, given), network, given)
    facts = {"seconds": time.perf_counter() - began}
    assert isinstance(registration, VolumeRegistration)
    total = sitk.CompositeTransform(registration.transform)
    parts = [total.GetNthTransform(k) for k in range(total.GetNumberOfTransforms())]
    found = {
        "before": sitk.Transform(3, sitk.sitkIdentity),
        "start": as_transform(registration.initial.start),
        "network": sitk.CompositeTransform(parts[: 2 if registration.planes else 1]),
    }
    facts["field_kept"] = float(bool(registration.planes))
    if registration.refinement is not None:
        found["both"] = total
        facts["both_kept"] = float(registration.refinement.kept)
        facts["refine_seconds"] = registration.refinement.seconds
        facts["seconds"] -= facts["refine_seconds"]
    return found, facts


def bspline(
    pair: AlignedPair, moving: sitk.Image, start: sitk.Transform
) -> tuple[sitk.Transform, float]:
    """The B-spline step of ``--refine bspline`` straight from a start, without a network.

    Returns:
        the transform, fixed to moving points (the start if the step is dropped), and 1 if kept.
    """
    moved = resample(moving, pair.fixed, start)
    given = options_of(modality=pair.modality, init="none", refine="bspline", rigid_only=True)
    found = register(read_pair(pair.fixed, moved, given), None, given)
    assert isinstance(found, VolumeRegistration) and found.refinement is not None
    if not found.refinement.kept:
        return start, 0.0
    return sitk.CompositeTransform([start, found.transform]), 1.0


def _write_table(rows: Sequence[dict[str, float]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
