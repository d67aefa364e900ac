"""Register and fuse a pair of images, or many.

Run from the repository root::

    python -m scripts.fuse --fixed MRI.png --moving CT.png --output_dir OUT
    python -m scripts.fuse --input_dir STUDIES --output_dir OUT --skip_existing

Writes ``fused``, ``warped`` (PNG for pictures, ``.nii.gz`` for volumes) and ``ddf.nii.gz``,
for volumes also a transform and a report: of one pair directly into ``OUT``, of many into
``OUT/<id>`` with a table ``OUT/summary.csv``; under ``torchrun`` each process does its share. This
is ``configs/inference.json``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Events
from monai.bundle import ConfigParser
from tqdm import tqdm

from bundle.workflow import parallel
from bundle.workflow.option_values import check_device, check_value
from bundle.errors import InputError
from bundle.workflow import (
    PairEvaluator,
    go_through,
    or_exit,
    pair_record,
    read_datalist,
    run_pairs,
)
from bundle.workflow.datalist import MODALITIES
from bundle.workflow.folders import find_pairs
from bundle.results.folder import has_results
from bundle.results.summary import summary_rows, write_summary
from bundle.geometry.planes import PLANES
from bundle.registration.bspline import REFINES
from bundle.registration.rigid import INITS

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None, **overrides: Any) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.
        **overrides: values for other ids of ``configs/inference.json``.

    Raises:
        SystemExit: with status 1 and one line on stderr if a pair cannot be done.
    """
    options = _parser().parse_args(arguments)
    records = or_exit(_records, options)
    if options.fixed is not None and options.skip_existing and _is_done(records[0]):
        print("done already:", end=" ")
    elif options.fixed is not None:
        run_pairs(_evaluator(records, options, overrides))
    else:
        _run_many(records, options, overrides)
    print(f"results in {options.output_dir}")


def _records(options: argparse.Namespace) -> list[dict[str, str]]:
    """The pairs that the command names; refuses what else it cannot use."""
    if options.device is not None:
        check_device(options.device)
    if options.ct_window is not None:
        check_value("ct_window", "{},{}".format(*options.ct_window))
    if options.workers < 0:
        raise InputError(f"--workers {options.workers}: give 0 or more")
    ways = [options.fixed or options.moving, options.datalist, options.input_dir]
    if sum(way is not None for way in ways) != 1:
        raise InputError("name --fixed and --moving, or --datalist, or --input_dir")
    single = [name for name in ("frame", "series") if getattr(options, name)]
    if single and (options.datalist or options.input_dir):
        raise InputError(f"--{single[0]}: is for one pair; name it in a --datalist")
    if options.datalist is not None:
        if options.modality is not None:
            raise InputError('--modality: name it in the list, as "modality" of each pair')
        return read_datalist(options.datalist, options.output_dir)
    if options.input_dir is not None:
        return find_pairs(options.input_dir, options.output_dir, options.modality)
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise InputError("a single pair is one process's work; start it without torchrun")
    if options.fixed is None or options.moving is None:
        raise InputError("name both --fixed and --moving")
    parts = {"frame": options.frame, "series": ",".join(options.series)}
    files = (options.fixed, options.moving, options.output_dir, options.modality)
    return [pair_record(*files, **parts)]


def _run_many(
    records: list[dict[str, str]], options: argparse.Namespace, overrides: dict[str, Any]
) -> None:
    """Do the pairs, this process's share of them under torchrun, and write one table of all."""
    with parallel.launched() as processes:
        if processes > 1 and options.device is None:
            options.device = str(parallel.local_device())
        records = records[parallel.rank() :: processes] if processes > 1 else records
        waiting = [r for r in records if not (options.skip_existing and _is_done(r))]
        states = {r["id"]: "skipped" for r in records} | {r["id"]: "not done" for r in waiting}
        failed = True
        try:
            failed = _run_share(waiting, options, overrides, states)
        finally:
            rows = parallel.gather_dealt(summary_rows(records, states))
            if parallel.is_main_process():
                _write_table(rows, Path(options.output_dir) / "summary.csv")
            # processes end together: a launcher stops all as soon as one fails
            failed = parallel.any_process(failed)
    if failed:
        raise SystemExit(1)


def _write_table(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """Write what became of the pairs; their results do not depend on it."""
    try:
        write_summary(rows, path)
    except OSError as error:
        print(f"warning: {path}: cannot be written ({error.strerror})", file=sys.stderr)


def _run_share(
    records: list[dict[str, str]],
    options: argparse.Namespace,
    overrides: dict[str, Any],
    states: dict[str, str],
) -> bool:
    """Do these pairs; what became of each goes into ``states``. Says whether any failed."""
    if not records:
        return False
    evaluator = _evaluator(records, options, overrides)
    try:
        with tqdm(total=len(records), unit="pair", disable=None) as bar:
            evaluator.add_event_handler(Events.ITERATION_COMPLETED, lambda _: bar.update())
            go_through(evaluator)
    finally:
        states |= {records[n - 1]["id"]: text for n, text in evaluator.outcomes.items()}
    return bool(evaluator.failures)


def _is_done(record: dict[str, str]) -> bool:
    return "output_dir" in record and has_results(Path(record["output_dir"]))


def _evaluator(
    records: list[dict[str, str]], options: argparse.Namespace, overrides: dict[str, Any]
) -> PairEvaluator:
    """``configs/inference.json`` with these pairs and options."""
    config = ConfigParser()
    config.read_config(ROOT / "configs" / "inference.json")
    config["bundle_root"] = str(ROOT)
    config["dataset"]["data"] = tuple(records)  # the parser leaves '@' in a tuple's paths alone
    config["dataloader"]["num_workers"] = options.workers
    for name in ("overwrite", "init", "plane", "refine", "dicom_output"):
        config[name] = getattr(options, name)
    for name in ("device", "ct_window"):
        if getattr(options, name) is not None:
            config[name] = getattr(options, name)
    config.update(overrides)
    return or_exit(config.get_parsed_content, "evaluator")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.fuse")
    parser.description = "Register the moving image onto the fixed one and fuse the two."
    parser.add_argument("--fixed", help="reference image (MRI)")
    parser.add_argument("--moving", help="image to register (CT, PET or SPECT)")
    parser.add_argument("--datalist", help="pairs.json, instead of --fixed and --moving")
    parser.add_argument("--input_dir", help="folder with NAME_fixed and NAME_moving, or BIDS")
    parser.add_argument("--output_dir", required=True, help="folder for the results")
    parser.add_argument("--modality", choices=MODALITIES, help="modality of the moving image")
    parser.add_argument("--frame", help="number of the frame of a 4D file, from 0")
    parser.add_argument("--series", nargs="+", default=[], help="UIDs, where folders hold several")
    parser.add_argument("--init", choices=INITS, default="rigid", help="3D start of volumes")
    parser.add_argument("--plane", choices=PLANES, default="auto", help="slices of volumes")
    parser.add_argument("--refine", choices=REFINES, default="none", help="last step of volumes")
    parser.add_argument(
        "--ct_window", nargs=2, type=float, metavar=("LOWER", "UPPER"), help="in HU"
    )
    parser.add_argument("--dicom_output", action="store_true", help="fused volume as DICOM too")
    parser.add_argument("--device", help="such as cpu or cuda:0; by default the GPU if any")
    parser.add_argument("--workers", type=int, default=0, help="processes that read pairs ahead")
    parser.add_argument("--skip_existing", action="store_true", help="leave what is done")
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    return parser


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("stopped; results that are complete stay", file=sys.stderr)
        raise SystemExit(130) from None
