"""Write the project's own head phantom: 2D pairs for training, volumes of one head, or BIDS.

Run from the repository root::

    python -m scripts.make_phantom --output_dir DIR
    python -m scripts.make_phantom --output_dir DIR --volumes --seed 3
    python -m scripts.make_phantom --output_dir DIR --bids 3

The pairs are laid out as the training's ``--dataset_dir`` expects them
(``CT-MRI/train/MRI/NAME.png`` ...), with about one validation pair for eight training pairs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bundle.domain import LONGEST, SHORTEST
from bundle.errors import InputError
from bundle.phantom.bids import write_bids
from bundle.phantom.pairs import write_pairs, write_volumes
from bundle.training.new_folder import new_folder
from scripts.command import or_exit, program


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if the folder cannot be used.
    """
    options = _parser().parse_args(arguments)
    or_exit(_write, options)
    print(f"phantom in {options.output_dir}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("make_phantom"))
    parser.description = "Write a seeded head phantom as 2D pairs, as volumes, or both."
    parser.add_argument("--output_dir", required=True, type=Path, help="new or empty folder")
    pairs = "training pairs per modality (default: 50, or none with --volumes and --bids)"
    parser.add_argument("--pairs", type=int, help=pairs)
    parser.add_argument("--volumes", action="store_true", help="write the volumes of one head")
    parser.add_argument("--bids", type=int, default=0, help="subjects of a BIDS dataset to write")
    size = f"pixels per side of the pairs, {SHORTEST} to {LONGEST}"
    parser.add_argument("--size", type=int, default=256, help=size)
    parser.add_argument("--seed", type=int, default=0, help="whole number, 0 or more")
    return parser


def _write(options: argparse.Namespace) -> None:
    others = options.volumes or options.bids > 0
    pairs = options.pairs if options.pairs is not None else 0 if others else 50
    if pairs < 0 or options.bids < 0 or (pairs == 0 and not others):
        raise InputError(f"--pairs {pairs}: give at least 1 pair, or --volumes, or --bids 1")
    if options.seed < 0 or not SHORTEST <= options.size <= LONGEST:
        raise InputError(
            f"--seed {options.seed} --size {options.size}: give a seed of 0 or more "
            f"and a size of {SHORTEST} to {LONGEST}"
        )
    with new_folder(options.output_dir) as folder:
        if pairs:
            write_pairs(folder, pairs, options.seed, options.size, "train")
            write_pairs(folder, max(1, pairs // 8), options.seed, options.size, "val")
        if options.volumes:
            write_volumes(folder, options.seed)
        if options.bids:
            write_bids(folder, options.bids, options.seed)


if __name__ == "__main__":
    main()
