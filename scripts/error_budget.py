"""Print what the remaining registration error is made of.

Run from the repository root::

    python -m scripts.error_budget --dataset_dir AANLIB
    python -m scripts.error_budget
    python -m scripts.error_budget --stacks STACKS

Without ``--dataset_dir`` the phantom, whose pairs are aligned exactly. Every validation pair is
misaligned several times. ``own`` is the error that stays the same whatever the misalignment: the
pair was not aligned exactly, or its anatomy is taken for a displacement. The rest was not found;
``affine`` and ``elastic`` say what kind it is of. Root mean squares in px of 256 in the head:
error^2 = own^2 + affine^2 + elastic^2.

With ``--stacks`` instead where along the slices each stack agrees best with the MRI that it is said
to be aligned with, in mm, by two measures: 0 if it is aligned.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import astuple
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.domain import LEVELS, MODALITIES
from bundle.errors import InputError
from bundle.evaluation.baselines.compare import evaluation_data
from bundle.evaluation.checks.error_budget import COLUMNS, modality_budgets
from bundle.evaluation.checks.network import infer_picture, shipped_network
from bundle.evaluation.checks.slice_offset import slice_offset
from bundle.evaluation.checks.stack_pairs import stack_files, stack_volumes
from bundle.evaluation.tables.page import number, table
from scripts.command import or_exit, program

BRIGHT = 99.8
"""Percentile of a stack that counts as its brightest value."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 if an option cannot be used.
    """
    options = _parser().parse_args(arguments)
    warnings.filterwarnings("ignore", message=".*native grid_sample.*")
    if options.stacks:
        lines = or_exit(_offsets, options.stacks)
        print(table(["split", "modality", "patient", "slices", "information", "gradients"], lines))
        return
    lines = or_exit(_examine, options)
    print(table(["modality", "level", *COLUMNS], lines))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("error_budget"))
    parser.description = "Say what the remaining registration error is made of."
    parser.add_argument("--dataset_dir", help="AANLIB's layout; by default the phantom")
    parser.add_argument("--stacks", type=Path, help="offsets of whole stacks along their slices")
    parser.add_argument("--checkpoint", default="models/model.pt")
    parser.add_argument(
        "--levels", nargs="+", choices=list(LEVELS)[1:], default=["small", "medium"]
    )
    parser.add_argument("--deformations", type=int, default=8, help="of each pair")
    parser.add_argument("--stride", type=int, default=1, help="keep every n-th pair")
    return parser


def _offsets(folder: Path) -> list[list[str]]:
    """A row for each stack of both splits; of several series of a patient the first."""
    rows = []
    for split in ("val", "train"):
        for modality in MODALITIES:
            firsts = dict(stack_files(folder, split, modality)[::-1])
            for fixed, moving in reversed(firsts.items()):
                (mri, other), shown = stack_volumes(fixed, moving)
                found = slice_offset(_in_range(mri, mri), _in_range(other, mri), shown)
                step = mri.GetSpacing()[2]
                offsets = [number(round(step * value, 1) + 0.0, 1) for value in astuple(found)]
                rows.append([split, modality, fixed.parent.name, str(len(shown)), *offsets])
    if not rows:
        raise InputError(f"{folder}: holds no val/PATIENT or train/PATIENT with two series")
    return rows


def _in_range(volume: sitk.Image, grid: sitk.Image) -> np.ndarray:
    """Values (D, H, W) on a grid, from 0 to 1 at the 99.8th percentile."""
    values = sitk.GetArrayFromImage(sitk.Resample(volume, grid)).astype(np.float64)
    return (values / max(np.percentile(values, BRIGHT), 1e-6)).clip(0, 1)


def _examine(options: argparse.Namespace) -> list[list[str]]:
    if options.stride < 1 or options.deformations < 2:
        raise InputError(
            f"--stride {options.stride} --deformations {options.deformations}: give a stride of 1 "
            "or more and 2 deformations or more"
        )
    network = shipped_network(options.checkpoint)
    infer = partial(infer_picture, network=network)
    lines = []
    for level in options.levels:
        data = evaluation_data(options.dataset_dir, stride=options.stride, levels=[level])
        budgets = modality_budgets(data, options.deformations, infer)
        for modality, budget in budgets.items():
            cells = [number(float(value), 2).replace("nan", "0") for value in budget]
            lines.append([modality, level, *cells])
    return lines


if __name__ == "__main__":
    main()
