"""Print what the network makes of noise, odd contrasts, other sizes, and pairs that do not match.

Run from the repository root::

    python -m scripts.robustness --dataset_dir AANLIB --stride 8

The pairs are those of ``run evaluating`` at one level. Asked for in every row: finite values, no
folding, and no displacement beyond 35 % of the picture's side; else the exit status is 1.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

from bundle.domain import LEVELS
from bundle.errors import InputError
from bundle.evaluation.baselines.compare import evaluation_data
from bundle.evaluation.checks.network import infer_picture, shipped_network
from bundle.evaluation.checks.robustness import CHANGES, STRANGER, Case, examine, verdict
from bundle.evaluation.tables.page import number, table
from scripts.command import or_exit, program

COLUMNS = {"EPE_before": 2, "EPE": 2, "moved": 2, "largest": 3, "folding": 5, "not_finite": 0}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 if an option cannot be used or a row is not ok.
    """
    options = _parser().parse_args(arguments)
    warnings.filterwarnings("ignore", message=".*native grid_sample.*")
    lines = or_exit(_examine, options)
    print(table(["pairs", *COLUMNS, "verdict"], lines))
    faults = [line[0] for line in lines if line[-1] != "ok"]
    if faults:
        raise SystemExit(f"error: not ok: {', '.join(faults)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("robustness"))
    parser.description = "Try the network on pairs that training did not show."
    parser.add_argument("--dataset_dir", help="AANLIB's layout; by default the phantom")
    parser.add_argument("--checkpoint", default="models/model.pt")
    parser.add_argument("--level", choices=list(LEVELS), default="medium")
    parser.add_argument("--stride", type=int, default=8, help="keep every n-th pair")
    parser.add_argument("--image_size", type=int, default=256, help="pixels per side")
    return parser


def _examine(options: argparse.Namespace) -> list[list[str]]:
    if options.stride < 1 or options.image_size < 64:
        raise InputError(
            f"--stride {options.stride} --image_size {options.image_size}: give a stride of 1 or "
            "more and a size of 64 or more"
        )
    network = shipped_network(options.checkpoint)
    infer = partial(infer_picture, network=network)
    data = evaluation_data(options.dataset_dir, options.image_size, options.stride, [options.level])
    items = [data[index] for index in range(len(data))]
    cases = [_case(item) for item in items]
    alone = len({case.patient for case in cases}) == 1
    lines = []
    for name, change in CHANGES.items():
        if name == STRANGER and alone:
            continue
        values = examine(cases, change, infer)
        cells = [number(values[x], d).replace("nan", "–") for x, d in COLUMNS.items()]
        lines.append([name, *cells, verdict(values)])
    return lines


def _case(item: dict[str, Any]) -> Case:
    image, patient = item["image"][None], (item["modality"], item["case"])
    return Case(image[:, :1], image[:, 1:], item["ddf"][None], patient)


if __name__ == "__main__":
    main()
