"""Register and fuse a pair of images, or many.

Run from the repository root::

    python -m scripts.fuse --fixed MRI.png --moving CT.png --output_dir OUT
    python -m scripts.fuse --input_dir STUDIES --output_dir OUT --skip_existing
    python -m scripts.fuse --fixed MRI.nii.gz --moving CT.nii.gz PET.nii.gz --modality CT PET \\
        --output_dir OUT
    python -m scripts.fuse --bids DATASET --derivatives OUT

Writes ``fused``, ``warped`` (PNG for pictures, ``.nii.gz`` for volumes), ``ddf.nii.gz`` and
``report.html``, for volumes also transforms, ``report.json`` and more: of one pair directly into
``OUT``, of many into ``OUT/<id>`` with a table ``OUT/summary.csv`` and its page
``OUT/summary.html``; under ``torchrun`` each process does its share. This is
``configs/inference.json``. Of a BIDS dataset it writes derivatives and one page of all, see
:mod:`scripts.bids`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bundle.errors import InputError
from bundle.images import kinds
from bundle.workflow.datalist import FILES, pair_record, read_datalist
from bundle.workflow.folders import find_pairs
from bundle.workflow.several import records_of_several
from scripts.collector import collect_seldom
from scripts.command import (
    add_debug,
    add_options,
    given_options,
    or_exit,
    or_report,
    program,
    show_traces,
)
from scripts.run_pairs import SHARED, evaluator_of, is_done, run_many
from scripts.streams import say

OF_ONE = (
    "frame",
    "apply_to_all_frames",
    "fixed_frame",
    "series",
    "spacing",
    "initial_transform",
    "labels",
    "fixed_mask",
    "moving_mask",
)
"""Options of one pair, which a list takes pair by pair."""

OF_EACH = ("frame", "fixed_frame")
"""Those that also go with several moving images; one without frames is not concerned."""


def main(arguments: Sequence[str] | None = None, **overrides: Any) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.
        **overrides: values for other ids of ``configs/inference.json``.

    Raises:
        SystemExit: with status 1 and one line on stderr if a pair cannot be done.
    """
    options = _parser().parse_args(arguments)
    for name in ("moving", "modality"):  # one stands for itself
        if len(getattr(options, name) or ()) == 1:
            setattr(options, name, getattr(options, name)[0])
    show_traces(options.debug)
    if options.list_series is not None:
        or_report(_list_series, Path(options.list_series))
        return
    or_report(_run, options, or_report(_records, options), overrides)
    say(f"results in {options.derivatives or options.output_dir}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("fuse"))
    parser.description = "Register the moving image onto the fixed one and fuse the two."
    parser.add_argument("--fixed", help="reference image (MRI)")
    parser.add_argument(
        "--moving", nargs="+", metavar="IMAGE",
        help="image to register (CT, PET, SPECT or another MRI), or more",
    )  # fmt: skip
    parser.add_argument("--datalist", help="pairs.json, instead of --fixed and --moving")
    parser.add_argument("--input_dir", help="folder with NAME_fixed and NAME_moving, or BIDS")
    parser.add_argument("--output_dir", help="folder for the results")
    parser.add_argument("--bids", help="BIDS dataset: every CT, PET and SPECT onto its T1w")
    parser.add_argument("--derivatives", help="folder for the BIDS derivatives of --bids")
    add_t1w(parser)
    parser.add_argument(
        "--list_series",
        metavar="PATH",
        help="print the DICOM series of a path, and end",
    )
    add_options(parser, "modality", *OF_ONE, *SHARED, "device")
    parser.add_argument("--workers", type=int, default=0, help="processes that read pairs ahead")
    parser.add_argument("--skip_existing", action="store_true", help="leave what is done")
    add_debug(parser)
    return parser


def add_t1w(parser: argparse.ArgumentParser) -> None:
    """Add the option for subjects of a BIDS dataset that have several T1w."""
    parser.add_argument(
        "--t1w", nargs="+", default=[], metavar="ENTITY",
        help="entities of the T1w where a subject has several: run-1; or plain: the shortest name",
    )  # fmt: skip


def _list_series(path: Path) -> None:
    """Print the series of a folder, DICOMDIR, ZIP file or slice."""
    kinds.require_file(path)
    if not kinds.is_dicom(path):
        raise InputError(f"{path}: holds no DICOM series; name a folder, DICOMDIR, ZIP or slice")
    from bundle.images.dicom import read_folder
    from bundle.images.dicom_choice import series_table

    say("\n".join(series_table(path, read_folder(path, pixels=False))))


def _records(options: argparse.Namespace) -> list[dict[str, str]]:
    """The pairs that the command names; refuses what else it cannot use."""
    given_options(options, "modality")  # argparse has looked at it
    if options.workers < 0:
        raise InputError(f"--workers {options.workers}: give 0 or more")
    ways = [options.fixed or options.moving, options.datalist, options.input_dir, options.bids]
    if sum(way is not None for way in ways) != 1:
        raise InputError("name --fixed and --moving, or --datalist, or --input_dir, or --bids")
    if isinstance(options.modality, list) and not isinstance(options.moving, list):
        raise InputError("--modality: names several for one moving image; name one")
    if options.t1w and options.bids is None:
        raise InputError("--t1w: is for a BIDS dataset; give --bids")
    single = _of_one(options)
    if single and (options.datalist or options.input_dir or options.bids):
        raise InputError(f"--{single[0]}: is for one pair; name it in a --datalist")
    if options.bids is not None:
        from scripts.bids import records_of

        return records_of(options)
    if not options.output_dir:
        raise InputError("name a folder for the results: --output_dir")
    if options.datalist is not None:
        if options.modality is not None:
            raise InputError('--modality: name it in the list, as "modality" of each pair')
        return read_datalist(options.datalist, options.output_dir)
    if options.input_dir is not None:
        return find_pairs(options.input_dir, options.output_dir, options.modality)
    return _several(options) if isinstance(options.moving, list) else [_single(options)]


def _of_one(options: argparse.Namespace) -> list[str]:
    """The options of one pair that are given."""
    return [name for name in OF_ONE if getattr(options, name) not in (None, (), False)]


def _require_images(*paths: str) -> None:
    """Refuse what is not there, or no kind of image, before anything is loaded."""
    for path in paths:
        kinds.require_file(path)
        kinds.is_volume(path)


def _several(options: argparse.Namespace) -> list[dict[str, str]]:
    """The records of several moving images, whose files are there."""
    if options.fixed is None:
        raise InputError("name both --fixed and --moving")
    unfit = [name for name in _of_one(options) if name not in OF_EACH]
    if unfit:
        raise InputError(f"--{unfit[0]}: is for one moving image; name it in a --datalist")
    _require_images(options.fixed, *options.moving)
    modalities = [options.modality] if isinstance(options.modality, str) else options.modality
    parts = {name: getattr(options, name) for name in OF_EACH}
    files = options.fixed, options.moving, modalities or (), options.output_dir
    return records_of_several(*files, **parts)


def _single(options: argparse.Namespace) -> dict[str, str]:
    """The record of one pair, whose files are there."""
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise InputError("a single pair is one process's work; start it without torchrun")
    if options.fixed is None or options.moving is None:
        raise InputError("name both --fixed and --moving")
    _require_images(options.fixed, options.moving)
    for name in FILES:
        if path := getattr(options, name):
            kinds.require_file(path)
    parts = {name: getattr(options, name) for name in OF_ONE}
    parts["series"] = ",".join(options.series)
    files = (options.fixed, options.moving, options.output_dir, options.modality)
    return pair_record(*files, **parts)


def _run(
    options: argparse.Namespace, records: list[dict[str, str]], overrides: dict[str, Any]
) -> None:
    """Do the pairs; what needs torch is imported from here on."""
    if options.fixed is None or isinstance(options.moving, list):
        run_many(records, options, overrides)
        return
    from bundle.results.held import held
    from bundle.workflow import run_pairs

    if options.skip_existing and is_done(records[0]):
        say(f"{options.output_dir}: done already")
        return
    with held(Path(options.output_dir)):
        run_pairs(evaluator_of(records, options, overrides))


if __name__ == "__main__":
    collect_seldom()
    or_exit(main)
