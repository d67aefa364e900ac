"""Measure how well volumes are registered, on seeded misalignments of aligned pairs.

Run from the repository root; a suite of pairs, or pairs of one kind::

    python -m scripts.volume_accuracy --suite validation --data DATA --output_dir OUT
    python -m scripts.volume_accuracy --heads DATA/heads --modality CT --misalignment spatial
    python -m scripts.volume_accuracy --fixed T1_DICOM --moving PET_DICOM --modality PET
    python -m scripts.volume_accuracy --phantom CT --methods start shipped convexadam ants

Each seed moves the moving volume by a rigid motion and a smooth elastic field; of heads, stacks and
the phantom each seed takes another patient. Every method goes on from the same rigid start. Prints
a line per pair and method and a summary, and writes ``accuracy.csv``, ``times.csv`` and
``summary.md``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import SimpleITK as sitk
import torch

from bundle.domain import MOVING
from bundle.errors import InputError
from bundle.evaluation.checks.aligned import AlignedPair
from bundle.evaluation.checks.misaligned import MisalignedPair, misaligned
from bundle.evaluation.checks.volume_methods import METHODS, Found, Task, chosen_methods
from bundle.evaluation.checks.volume_pairs import (
    SUITES,
    Source,
    painted_pair,
    phantom_pair,
    sources,
)
from bundle.evaluation.checks.volume_table import FILES, Row, summary, write_tables
from bundle.geometry.grid import on_one_grid
from bundle.images.volumes import read_volume
from bundle.networks import load_network
from bundle.options import Options, options_of
from bundle.training.heads.contrasts import MRI
from bundle.training.heads.misalignment import MISALIGNMENTS, with_slices
from scripts.command import add_options, given_options, or_exit, program

USUAL_MRI = ("T1", 1)
"""Contrast and slice thickness in mm of a painted head's MRI, unless others are asked for."""

THICKEST = 20
"""Its largest slice thickness, mm."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if it cannot be done.
    """
    or_exit(_run, _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("volume_accuracy"))
    parser.description = "Register seeded misalignments of aligned pairs; print the errors."
    parser.add_argument("--suite", choices=SUITES, help="pairs of several kinds")
    parser.add_argument("--data", type=Path, help="folder of heads, volumes and stacks, for it")
    parser.add_argument("--kinds", nargs="+", default=[], help="of its pairs, such as head or slab")
    parser.add_argument("--fixed", help="reference volume")
    parser.add_argument("--moving", help="volume aligned with it")
    parser.add_argument("--phantom", choices=MOVING, help="heads of the phantom instead")
    parser.add_argument("--heads", type=Path, help="tissue maps, painted, instead")
    parser.add_argument("--modality", choices=MOVING, help="modality of the moving volume")
    parser.add_argument("--fixed_contrast", choices=MRI, default=USUAL_MRI[0],
                        help="contrast of the painted heads' MRI")  # fmt: skip
    parser.add_argument("--fixed_thickness", type=int, default=USUAL_MRI[1], metavar="MM",
                        help="thickness of its axial slices")  # fmt: skip
    parser.add_argument("--slices", type=int, help="resample both files to this many slices first")
    parser.add_argument("--misalignment", nargs="+", choices=MISALIGNMENTS, help="one or several")
    parser.add_argument("--seeds", type=int, default=3, help="number of misalignments")
    parser.add_argument("--first_seed", type=int, default=0, help="the first of them")
    parser.add_argument("--methods", nargs="+", default=["headers", "start", "shipped"],
                        choices=[*METHODS, "convexadam"], metavar="METHOD",
                        help=f"among {', '.join(METHODS)}, convexadam")  # fmt: skip
    parser.add_argument("--threads", type=int, default=1, help="of every method")
    parser.add_argument("--output_dir", type=Path, default=Path("out/volume_accuracy"))
    parser.add_argument("--overwrite", action="store_true", help="replace existing tables")
    add_options(parser, "plane", "checkpoint", "device")
    return parser


def _run(parsed: argparse.Namespace) -> None:
    _check_options(parsed)
    for name in FILES:
        if (parsed.output_dir / name).exists() and not parsed.overwrite:
            path = parsed.output_dir / name
            raise InputError(f"{path}: exists already; name another folder or add --overwrite")
    _use_threads(parsed.threads)
    methods = chosen_methods(parsed.methods)
    if parsed.plane != "auto":  # the product in one plane is a method of its own
        methods = [parsed.plane if name == "shipped" else name for name in methods]
    found = sources(_data(parsed), parsed.kinds) if parsed.suite else [_source(parsed)]
    options = options_of(**{**given_options(parsed), "modality": None, "plane": "auto"})
    parsed.output_dir.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for row in _measured(found, methods, options, parsed):
        print(row, flush=True)
        rows.append(row)
        write_tables(rows, parsed.output_dir)
    print(f"\n{summary(rows)}")


def _check_options(parsed: argparse.Namespace) -> None:
    """Refuse numbers that make no sense, two sources of pairs, and options of another source."""
    if parsed.seeds < 1 or parsed.first_seed < 0 or parsed.threads < 1:
        raise InputError("--seeds, --threads: give at least 1, and a first seed of 0 or more")
    sources_named = [parsed.suite, parsed.heads, parsed.phantom, parsed.fixed or parsed.moving]
    if sum(one is not None for one in sources_named) > 1:
        raise InputError("--suite, --heads, --phantom, --fixed: name one of them")
    if parsed.slices is not None and (parsed.slices < 2 or parsed.fixed is None):
        raise InputError(f"--slices {parsed.slices}: give at least 2, with --fixed and --moving")
    if not 1 <= parsed.fixed_thickness <= THICKEST:
        raise InputError(f"--fixed_thickness {parsed.fixed_thickness}: give 1 to {THICKEST} mm")
    if parsed.heads is None and (parsed.fixed_contrast, parsed.fixed_thickness) != USUAL_MRI:
        raise InputError(
            "--fixed_contrast, --fixed_thickness: apply to painted heads only; name --heads"
        )
    if parsed.modality is not None and (parsed.suite or parsed.phantom):
        raise InputError("--modality: the pairs of --suite and --phantom have theirs; leave it out")
    if parsed.suite is None and (parsed.kinds or parsed.data is not None):
        raise InputError("--kinds, --data: apply to a suite only; name --suite")


def _use_threads(count: int) -> None:
    """Let torch, ITK and ANTs, which reads the variable on import, compute on so many threads."""
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = str(count)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
    torch.set_num_threads(count)


def _data(parsed: argparse.Namespace) -> Path:
    if parsed.data is None and not all(kind.startswith("phantom") for kind in parsed.kinds or [""]):
        raise InputError("--suite: name the --data, or take --kinds phantom, which needs none")
    return parsed.data or Path()


def _source(parsed: argparse.Namespace) -> Source:
    """The pairs of one kind that are asked for."""
    if parsed.heads:
        if parsed.modality is None:
            raise InputError("--heads: name the --modality that is painted")
        shown = {"contrast": parsed.fixed_contrast, "thickness": parsed.fixed_thickness}
        make = partial(painted_pair, parsed.heads, parsed.modality, **shown)
        return Source(f"head {parsed.modality}{_fixed_name(parsed)}", make)
    if parsed.phantom:
        return Source(f"phantom {parsed.phantom}", partial(phantom_pair, parsed.phantom))
    pair = _given_pair(parsed)
    return Source(f"given {pair.modality or 'pair'}", lambda _: pair)


def _fixed_name(parsed: argparse.Namespace) -> str:
    """What the fixed volume is, where it is no T1 of 1 mm."""
    if (parsed.fixed_contrast, parsed.fixed_thickness) == USUAL_MRI:
        return ""
    return f" onto {parsed.fixed_contrast} of {parsed.fixed_thickness} mm"


def _given_pair(parsed: argparse.Namespace) -> AlignedPair:
    if parsed.fixed is None or parsed.moving is None:
        raise InputError("name --fixed and --moving, or --phantom, --heads or --suite")
    fixed, moving = read_volume(parsed.fixed).image, read_volume(parsed.moving).image
    if not on_one_grid(fixed, moving):
        raise InputError(f"{parsed.moving}: is on another grid than {parsed.fixed}")
    if parsed.slices:
        fixed, moving = (with_slices(volume, parsed.slices) for volume in (fixed, moving))
    return AlignedPair(fixed, moving, parsed.modality)


def _measured(
    found: Sequence[Source], methods: Sequence[str], options: Options, parsed: argparse.Namespace
) -> Iterator[Row]:
    """Rows of every pair, misalignment and method."""
    network = load_network(options.checkpoint, options.device)
    kinds = parsed.misalignment or SUITES.get(parsed.suite, ("in_plane",))
    for source in found:
        for seed in range(parsed.first_seed, parsed.first_seed + parsed.seeds):
            pair = source.make(seed)
            given = options.model_copy(update={"modality": pair.modality})
            for kind in kinds:
                moved = misaligned(pair, seed, kind)
                task = Task(pair.fixed, moved.moving, given, network)
                for method in methods:
                    yield _row((source.kind, kind, seed, method), moved, METHODS[method](task))


def _row(keys: tuple[str, str, int, str], moved: MisalignedPair, found: Found) -> Row:
    accuracy = moved.accuracy(found.transform, found.uncertainty)
    return Row(
        *keys, accuracy.mean, accuracy.p95, accuracy.folded, found.kept, accuracy.within,
        found.inverted, moved.tre(found.transform), moved.dice(found.transform),
        found.seconds.elapsed, found.seconds.processor,
    )  # fmt: skip


if __name__ == "__main__":
    main()
