"""Make a training folder from a local copy of the public AANLIB pairs.

Run from the repository root::

    python -m scripts.prepare_aanlib --source Havard-Medical-Image-Fusion-Datasets \\
        --output_dir my_pairs

Checks every picture and copies the pairs, split by patient: no patient, no picture and, where
there is one subject only (PET), no neighbouring slice is on both sides.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bundle.domain import MODALITIES
from bundle.errors import InputError
from bundle.training.aanlib import ONE_SUBJECT, copy_split, public_pairs, split_public
from bundle.training.new_folder import new_folder
from scripts.command import or_exit, program


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if the folder cannot be made.
    """
    or_exit(_run, _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("prepare_aanlib"))
    parser.description = "Check, split and copy the public AANLIB pairs for training."
    parser.add_argument("--source", required=True, type=Path, help="holds CT-MRI/MRI/NAME.png ...")
    parser.add_argument("--output_dir", required=True, type=Path, help="new or empty folder")
    parser.add_argument("--val_share", type=float, default=0.15, help="of the pairs, 0 to 1")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of cases")
    one = "modalities that are one subject, split by blocks of slices (default: PET)"
    parser.add_argument("--one_subject", nargs="*", choices=MODALITIES, default=ONE_SUBJECT,
                        help=one)  # fmt: skip
    return parser


def _run(options: argparse.Namespace) -> None:
    if not 0 < options.val_share < 1:
        raise InputError(f"--val_share {options.val_share}: give a number between 0 and 1")
    pairs = public_pairs(options.source)
    split = split_public(pairs, options.val_share, options.seed, options.one_subject)
    with new_folder(options.output_dir) as folder:
        copy_split(split, folder)
    for modality in MODALITIES:
        of_it = {
            name: [p for p in part if p["modality"] == modality] for name, part in split.items()
        }
        cases = ", ".join(sorted({pair["case"] for pair in of_it["val"]}, key=int))
        train, val = len(of_it["train"]), len(of_it["val"])
        print(f"{modality}: {train} train, {val} val (cases {cases or 'none'})")
    left = len(pairs) - sum(map(len, split.values()))
    print(f"{left} pairs left out, too much like a validation pair; all in {options.output_dir}")


if __name__ == "__main__":
    main()
