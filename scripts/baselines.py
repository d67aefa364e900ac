"""Measure other registration methods on the pairs of the evaluation.

Run from the repository root::

    python -m pip install -r requirements-baselines.txt
    python -m scripts.baselines --dataset_dir AANLIB --stride 3 --output_dir out/baselines

Each method warps, then the fusion rules maximum and Laplacian pyramid fuse. Files, levels and
deformations are those of ``run evaluating``, so that rows of ``baselines.csv`` and of its
``metrics.csv`` can be laid side by side. Everything runs on one thread. ``--page`` writes the
tables as a Markdown page. MONAI's registration networks are trained as BiMSRec is and then named::

    python -m monai.bundle run training --dataset_dir AANLIB --image_size 64 --reduction 4 \\
        --config_file "['configs/train.json','configs/localnet.json']" --ckpt_dir runs/localnet
    python -m scripts.baselines --dataset_dir AANLIB --trained LocalNet=runs/localnet/model.pt
"""

from __future__ import annotations

import argparse
import datetime
import os
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")  # antspyx reads it on import

import SimpleITK as sitk
import torch

from bundle.domain import LEVELS
from bundle.errors import InputError
from bundle.evaluation.baselines.ants import require_ants, syn
from bundle.evaluation.baselines.compare import (
    Registration,
    compare,
    evaluation_data,
    network_method,
    no_registration,
)
from bundle.evaluation.baselines.networks import ARCHITECTURES, MonaiRegistration
from bundle.evaluation.baselines.page import page
from bundle.evaluation.baselines.simpleitk import affine_bspline
from bundle.evaluation.checks.network import shipped_network
from bundle.metrics.summary import summarise
from bundle.metrics.tables import write_csv
from bundle.networks.weights import load_weights
from scripts.command import or_exit, program

METHODS = ("none", "simpleitk", "ants", "network")
TABLE = "baselines.csv"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if an option cannot be used.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(arguments)
    warnings.filterwarnings("ignore", message=".*native grid_sample.*")
    or_exit(_run, options, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("baselines"))
    parser.description = "Measure other registration methods on the pairs of the evaluation."
    parser.add_argument("--dataset_dir", help="AANLIB's layout; by default the phantom")
    parser.add_argument("--output_dir", default="out/baselines", help=f"folder of {TABLE}")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--stride", type=int, default=1, help="keep every n-th pair")
    parser.add_argument("--levels", nargs="+", choices=list(LEVELS), default=list(LEVELS))
    parser.add_argument("--image_size", type=int, choices=(64, 128, 256), default=256)
    parser.add_argument("--checkpoint", default="models/model.pt", help="of the method network")
    parser.add_argument(
        "--trained",
        nargs="+",
        default=[],
        metavar="NAME=CHECKPOINT",
        help=f"networks of configs/localnet.json and the like: {', '.join(ARCHITECTURES)}",
    )
    parser.add_argument("--page", help="Markdown page to write as well")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing table")
    return parser


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> None:
    """Check everything first, measure, write."""
    path = Path(options.output_dir) / TABLE
    if path.exists() and not options.overwrite:
        raise InputError(f"{path}: exists already; name another --output_dir or add --overwrite")
    if options.stride < 1:
        raise InputError(f"--stride {options.stride}: give 1 or more")
    if options.page and not Path(options.page).absolute().parent.is_dir():
        raise InputError(f"{options.page}: its folder does not exist; make it first")
    methods = _methods(options)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    data = evaluation_data(options.dataset_dir, options.image_size, options.stride, options.levels)
    rows = compare(data, methods)
    write_csv(rows, path)
    print(f"{len(rows)} rows in {path}")
    if options.page:
        made = _made(arguments, len(rows), options)
        text = page(summarise(rows), rows, made, options.image_size)
        Path(options.page).write_text(text, encoding="utf-8")
        print(f"{options.page} written")


def _methods(options: argparse.Namespace) -> dict[str, Registration]:
    """Name in the tables to function, of the methods asked for."""
    methods: dict[str, Registration] = {}
    if "none" in options.methods:
        methods["no registration"] = no_registration
    if "simpleitk" in options.methods:
        methods["SimpleITK affine + B-spline"] = affine_bspline
    if "ants" in options.methods:
        require_ants()
        methods["ANTs SyN"] = syn
    if "network" in options.methods:
        network = shipped_network(options.checkpoint, options.image_size)
        methods["BiMSRec"] = network_method(network)
    for pair in options.trained:
        name, _, checkpoint = pair.partition("=")
        if name not in ARCHITECTURES or not checkpoint:
            raise InputError(
                f"--trained {pair}: write NAME=CHECKPOINT, NAME one of {', '.join(ARCHITECTURES)}"
            )
        trained = MonaiRegistration(name, reduction=256 // options.image_size)
        methods[name] = network_method(load_weights(trained, checkpoint))
    return methods


def _made(arguments: Sequence[str], count: int, options: argparse.Namespace) -> str:
    """Command (without the place of the data), date, number of rows and seed, for the page."""
    shown = [_without_place(word, options.dataset_dir) for word in arguments]
    every = "every pair" if options.stride == 1 else f"one pair in {options.stride}"
    return (
        f"```bash\npython -m scripts.baselines {shlex.join(shown)}\n```\n\n"
        f"{datetime.date.today().isoformat()}, {count} rows: {every} of the evaluation, "
        "with its own deformations (seed 1, as in `configs/train.json`)."
    )


def _without_place(word: str, dataset_dir: str | None) -> str:
    """A word of the command line, where it names the data as ``DIR``, also behind ``=``."""
    if dataset_dir and (word == dataset_dir or word.endswith(f"={dataset_dir}")):
        return word.removesuffix(dataset_dir) + "DIR"
    return word


if __name__ == "__main__":
    main()
