"""Gate of every network design: learn eight pairs by heart, beside a plain U-Net.

Run from the repository root::

    python -m scripts.gates
    python -m scripts.gates --dataset_dir AANLIB --steps 1000

Both networks see the same batches of 64 x 64 pixels as often. The gate is passed, and the exit
status 0, when BiMSRec's mean field error falls below 0.5 px of 256.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence

import torch

from bundle.domain import LEVELS
from bundle.errors import InputError
from bundle.evaluation.baselines.compare import evaluation_data
from bundle.evaluation.baselines.networks import MonaiRegistration
from bundle.evaluation.checks.overfitting import PASSED, field_only_loss, overfit
from bundle.evaluation.tables.page import table
from bundle.losses import BiMSRecLoss
from bundle.networks import BiMSRec
from scripts.command import or_exit, program

SIZE = 64


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 if an option cannot be used or the gate is not passed.
    """
    options = _parser().parse_args(arguments)
    warnings.filterwarnings("ignore", message=".*native grid_sample.*")
    columns = or_exit(_train, options)
    steps = list(columns["BiMSRec"])
    lines = [[str(k), *(f"{column[k]:.2f}" for column in columns.values())] for k in steps]
    print(f"mean EPE in px of 256 on the {options.pairs} pairs trained on, level {options.level}")
    print(table(["step", *columns], lines))
    last = columns["BiMSRec"][steps[-1]]
    if not last < PASSED:
        raise SystemExit(f"error: not passed: {last:.2f} px is not below {PASSED} px")
    print(f"passed: {last:.2f} px")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("gates"))
    parser.description = "Learn a few pairs by heart, beside a plain U-Net."
    parser.add_argument("--dataset_dir", help="AANLIB's layout; by default the phantom")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--level", choices=list(LEVELS), default="medium")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--every", type=int, default=50, help="steps between the table's lines")
    parser.add_argument("--seed", type=int, default=0, help="of the networks' weights")
    return parser


def _train(options: argparse.Namespace) -> dict[str, dict[int, float]]:
    for name in ("pairs", "steps", "every"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name} {getattr(options, name)}: give 1 or more")
    data = evaluation_data(options.dataset_dir, SIZE, levels=[options.level])
    count = len(data)
    if options.pairs > count:
        raise InputError(f"--pairs {options.pairs}: there are only {count}")
    # spread over the list, so that every modality is there
    items = [data[round(k * (count - 1) / max(1, options.pairs - 1))] for k in range(options.pairs)]
    torch.manual_seed(options.seed)
    networks = {
        "BiMSRec": (BiMSRec(stage="registration", reduction=4), BiMSRecLoss()),
        "U-Net": (MonaiRegistration("BasicUNet", reduction=4), field_only_loss()),
    }
    return {
        name: dict(overfit(network, loss, items, options.steps, options.every))
        for name, (network, loss) in networks.items()
    }


if __name__ == "__main__":
    main()
