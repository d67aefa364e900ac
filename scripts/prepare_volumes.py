"""Make a training folder of slices from aligned MRI and CT, PET or SPECT volumes.

Run from the repository root::

    python -m scripts.prepare_volumes --datalist volumes.json --output_dir my_pairs

``volumes.json`` lists the pairs as for inference, with their modality::

    {"testing": [{"id": "a", "fixed": "a/mri.nii.gz", "moving": "a/ct.nii.gz",
                  "modality": "CT"}]}

An id is a patient; ``a__ct`` and ``a__pet`` are one patient, and so are ``a__1`` and ``a__2``. CT
is windowed in HU, all others by percentiles. Patients are split into training and validation.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bundle.domain import MODALITIES
from bundle.errors import InputError
from bundle.options import options_of
from bundle.training.new_folder import new_folder
from bundle.training.slices import slice_pairs, write_slices
from bundle.training.split import split_by_case
from bundle.workflow.datalist import options_for, read_datalist
from scripts.command import add_options, given_options, or_exit, program


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if the folder cannot be made.
    """
    or_exit(_run, _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("prepare_volumes"))
    parser.description = "Cut aligned volumes into picture pairs for training."
    parser.add_argument("--datalist", required=True, type=Path, help="JSON list of the pairs")
    parser.add_argument("--output_dir", required=True, type=Path, help="new or empty folder")
    parser.add_argument("--size", type=int, default=256, help="pixels per side of the slices")
    parser.add_argument("--step", type=float, default=4.0, help="mm between slices")
    add_options(parser, "init", "plane", "ct_window", "percentiles")
    parser.set_defaults(init="none")
    parser.add_argument("--val_share", type=float, default=0.15, help="of the patients, 0 to 1")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of patients")
    return parser


def _run(options: argparse.Namespace) -> None:
    _check(options)
    given = given_options(options)
    records = read_datalist(options.datalist, options.output_dir)
    for record in records:
        if "error" in record or "modality" not in record:
            reason = record.get("error") or f"{options.datalist}: {record['id']} has no modality"
            raise InputError(f"{reason}; a training pair needs one")
        if record["modality"] not in MODALITIES:
            raise InputError(
                f"{options.datalist}: {record['id']} is {record['modality']}; training takes "
                f"{', '.join(MODALITIES)}"
            )
        record["case"] = record["id"].split("__")[0]
    cases = sorted({record["case"] for record in records})
    chosen = split_by_case(records, options.val_share, options.seed)
    if not chosen:
        raise InputError(
            f"{options.datalist}: {len(cases)} patient(s); add another of the same modality, so "
            "that one can validate"
        )
    free: Counter[tuple[str, str]] = Counter()  # first free number of a modality's patient
    with new_folder(options.output_dir) as folder:
        for record in records:
            split = "val" if record["case"] in chosen else "train"
            place = folder / f"{record['modality']}-MRI" / split
            shown = options_for(record, options_of(**given))
            files = record["fixed"], record["moving"]
            slices = slice_pairs(*files, shown, options.size, options.step)
            case, modality = cases.index(record["case"]) + 1, record["modality"]
            numbers = write_slices(slices, place, modality, case, free[modality, record["case"]])
            if not numbers:
                raise InputError(f"{record['moving']}: shares no slice with {record['fixed']}")
            free[modality, record["case"]] = numbers[-1] + 1
            print(f"{record['id']}: {len(numbers)} slices, {split}, case {case}")
    print(f"all in {options.output_dir}")


def _check(options: argparse.Namespace) -> None:
    if not 0 < options.val_share < 1:
        raise InputError(f"--val_share {options.val_share}: give a number between 0 and 1")
    if options.size < 32 or not options.step > 0:
        raise InputError(f"--size {options.size} --step {options.step}: give 32 or more, and mm")


if __name__ == "__main__":
    main()
