"""Print what the remaining registration error is made of.

Run from the repository root::

    python -m scripts.error_budget --dataset_dir AANLIB
    python -m scripts.error_budget

Without ``--dataset_dir`` the phantom, whose pairs are aligned exactly. Every validation pair is
misaligned several times. ``own`` is the error that stays the same whatever the misalignment: the
pair was not aligned exactly, or its anatomy is taken for a displacement. The rest was not found;
``affine`` and ``elastic`` say what kind it is of. Root mean squares in px of 256 in the head:
error^2 = own^2 + affine^2 + elastic^2.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from functools import partial

from bundle.domain import LEVELS
from bundle.errors import InputError
from bundle.evaluation.baselines.compare import evaluation_data
from bundle.evaluation.checks.error_budget import COLUMNS, modality_budgets
from bundle.evaluation.checks.network import infer_picture, shipped_network
from bundle.evaluation.tables.page import number, table
from scripts.command import or_exit, program


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 if an option cannot be used.
    """
    options = _parser().parse_args(arguments)
    warnings.filterwarnings("ignore", message=".*native grid_sample.*")
    lines = or_exit(_examine, options)
    print(table(["modality", "level", *COLUMNS], lines))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("error_budget"))
    parser.description = "Say what the remaining registration error is made of."
    parser.add_argument("--dataset_dir", help="AANLIB's layout; by default the phantom")
    parser.add_argument("--checkpoint", default="models/model.pt")
    parser.add_argument(
        "--levels", nargs="+", choices=list(LEVELS)[1:], default=["small", "medium"]
    )
    parser.add_argument("--deformations", type=int, default=8, help="of each pair")
    parser.add_argument("--stride", type=int, default=1, help="keep every n-th pair")
    return parser


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
