"""Make what the network is trained on that combines two fields of a volume.

Run from the repository root::

    python -m scripts.field_samples --heads HEADS --output_dir runs/samples

Every head of ``HEADS`` (``head_NN.nii.gz``, tissue maps of 1 mm) is painted as MRI and as CT, PET
and SPECT, misaligned and registered by BiMSRec and by the optimiser; both fields and the true one
are kept: 6 MB and half a minute of one core each. Samples that are there are not made again. Then::

    python -m monai.bundle run training \\
        --config_file "['configs/train.json','configs/combiner.json']" --samples_dir runs/samples
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import InputError
from bundle.paths import MODEL
from scripts.command import or_exit, program

if TYPE_CHECKING:
    from bundle.training.combiner import Plan


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if samples cannot be made.
    """
    or_exit(_run, _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("field_samples"))
    parser.description = "Paint, misalign and register heads for the training of the combiner."
    parser.add_argument("--heads", required=True, type=Path, help="folder of head_NN.nii.gz")
    parser.add_argument("--output_dir", required=True, type=Path, help="samples are added to it")
    parser.add_argument("--checkpoint", type=Path, default=MODEL, help="weights of BiMSRec")
    parser.add_argument("--rounds", type=int, help="each head once in each modality; default: all")
    parser.add_argument("--num_workers", type=int, default=2, help="processes of one thread each")
    return parser


def _run(options: argparse.Namespace) -> None:
    from bundle.training.combiner import plans

    if options.num_workers < 1 or (options.rounds is not None and options.rounds < 1):
        raise InputError("--num_workers, --rounds: give 1 or more")
    for split in ("train", "val"):
        folder = options.output_dir / split
        folder.mkdir(parents=True, exist_ok=True)
        wanted = plans(options.heads, split, options.rounds)
        missing = [plan for plan in wanted if not (folder / plan.name).is_file()]
        make = partial(_make, folder, options.checkpoint)
        with ProcessPoolExecutor(options.num_workers, get_context("spawn")) as pool:
            for number, name in enumerate(pool.map(make, missing), 1):
                print(f"{split} {number} of {len(missing)}: {name}", flush=True)
        print(f"{split}: {len(wanted)} samples in {folder}", flush=True)


def _make(folder: Path, checkpoint: Path, plan: Plan) -> str:
    """Make one sample, in a process of its own."""
    import SimpleITK as sitk
    import torch

    from bundle.networks import load_network
    from bundle.training.combiner import make_sample, write_sample

    torch.set_num_threads(1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    write_sample(make_sample(plan, load_network(checkpoint)), folder / plan.name)
    return plan.name


if __name__ == "__main__":
    main()
