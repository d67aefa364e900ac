"""Make what the network is trained on that combines two fields of a volume.

Run from the repository root::

    python -m scripts.field_samples --heads HEADS --output_dir runs/combiner

Every head of ``HEADS`` (``head_NN.nii.gz``, tissue maps of 1 mm) is painted as MRI and as CT, PET
and SPECT, misaligned, and brought to its rigid start: ``prepared-HEADS``, named by the content of
the maps and the version, about 9 seconds of one core each. BiMSRec and the optimiser then register
what is prepared: ``samples-HEADS-WEIGHTS``, named by the weights too, about 10 seconds each. What
is there is not made again. Then::

    python -m monai.bundle run training \\
        --config_file "['configs/train.json','configs/combiner.json']" \\
        --samples_dir runs/combiner/samples-HEADS-WEIGHTS
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import InputError
from bundle.paths import MODEL
from bundle.training import recipe
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
    parser.add_argument("--prepare", action="store_true", help="only what needs no weights")
    return parser


def samples_in(folder: Path, heads: Path, checkpoint: Path) -> Path:
    """Folder of the samples of these heads that BiMSRec with these weights has registered."""
    from bundle.training.combiner import heads_digest

    names = heads_digest(heads), recipe.sha256(checkpoint)
    return folder / "-".join(["samples", *(name[:12] for name in names)])


def _run(options: argparse.Namespace) -> None:
    from bundle.training.combiner import heads_digest, plans

    if options.num_workers < 1 or (options.rounds is not None and options.rounds < 1):
        raise InputError("--num_workers, --rounds: give 1 or more")
    samples = samples_in(options.output_dir, options.heads, options.checkpoint)
    all_prepared = options.output_dir / f"prepared-{heads_digest(options.heads)[:12]}"
    for split in ("train", "val"):
        wanted = plans(options.heads, split, options.rounds)
        prepared = all_prepared / split
        _each(_prepare, prepared, wanted, options.num_workers)
        if not options.prepare:
            make = partial(_register, prepared, options.checkpoint)
            _each(make, samples / split, wanted, options.num_workers)


def _each(
    make: Callable[[Path, Plan], str], folder: Path, wanted: Sequence[Plan], workers: int
) -> None:
    """Make the files of a folder that are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [plan for plan in wanted if not (folder / plan.name).is_file()]
    with ProcessPoolExecutor(workers, get_context("spawn"), _one_thread) as pool:
        for number, name in enumerate(pool.map(partial(make, folder), missing), 1):
            print(f"{folder.name} {number} of {len(missing)}: {name}", flush=True)
    print(f"{len(wanted)} in {folder}", flush=True)


def _one_thread() -> None:
    """At the beginning of each process."""
    import SimpleITK as sitk
    import torch

    torch.set_num_threads(1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def _prepare(folder: Path, plan: Plan) -> str:
    """Make what a sample begins with."""
    from bundle.training.combiner import prepare, write_prepared

    write_prepared(prepare(plan), folder / plan.name)
    return plan.name


def _register(prepared: Path, checkpoint: Path, folder: Path, plan: Plan) -> str:
    """Make one sample."""
    from bundle.networks import load_network
    from bundle.training.combiner import make_sample, read_prepared, write_arrays

    found = read_prepared(prepared / plan.name)
    sample = make_sample(found, plan.modality, load_network(checkpoint))
    write_arrays(sample, folder / plan.name)
    return plan.name


if __name__ == "__main__":
    main()
