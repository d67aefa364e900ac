"""Pairs through ``configs/inference.json``: one, or many with one table of all."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bundle.paths import ROOT
from scripts.command import or_exit
from scripts.ending import Ended
from scripts.streams import tell

SHARED = (
    "init",
    "plane",
    "rigid_only",
    "refine",
    "ct_window",
    "colormap",
    "ddf_full",
    "resolution",
    "matrices",
    "dicom_output",
    "suv",
    "strict",
    "quiet",
    "overwrite",
)
"""Options of all pairs, which ``configs/inference.json`` takes under the same names."""

TABLES = ("summary.csv", "summary.html")


def run_many(
    records: list[dict[str, str]], options: argparse.Namespace, overrides: dict[str, Any]
) -> None:
    """Do the pairs, this process's share of them under torchrun, and write one table of all.

    Args:
        records: of the pairs.
        options: of the command.
        overrides: values for other ids of ``configs/inference.json``.

    Raises:
        InputError: files of others have the names of the tables.
        SystemExit: with status 1 if a pair failed.
    """
    from bundle.results.summary import summary_rows
    from bundle.workflow import parallel

    _require_own_table(options)
    with parallel.launched() as processes:
        if processes > 1 and options.device is None:
            options.device = str(parallel.local_device())
        records = records[parallel.rank() :: processes] if processes > 1 else records
        waiting = [r for r in records if not (options.skip_existing and is_done(r))]
        states = {r["id"]: "skipped" for r in records} | {r["id"]: "not done" for r in waiting}
        failed = together = True
        try:
            failed = _run_share(waiting, options, overrides, states)
        except Ended:
            together = processes == 1  # other processes may be gone, and would be waited for
            raise
        finally:
            if together:
                rows = parallel.gather_dealt(summary_rows(records, states))
                if parallel.is_main_process():
                    _write_table(rows, options)
                # processes end together: a launcher stops all as soon as one fails
                failed = parallel.any_process(failed)
    if failed:
        raise SystemExit(1)


def _require_own_table(options: argparse.Namespace) -> None:
    """Refuse to replace a table or a page of the same name that is not of an earlier run."""
    from bundle.results.recognised import is_ours, refuse_others

    if options.bids is None:
        paths = [Path(options.output_dir) / name for name in TABLES]
        refuse_others(*(path for path in paths if path.exists() and not is_ours(path)))


def _write_table(rows: Sequence[Mapping[str, object]], options: argparse.Namespace) -> None:
    """Write what became of the pairs; their results do not depend on it."""
    from bundle.results.summary import write_index, write_summary

    if options.bids is not None:
        from scripts.bids import write_logs

        write_logs(rows, options)
        return
    table, page = (Path(options.output_dir) / name for name in TABLES)
    try:
        write_summary(rows, table)
        write_index(rows, page)
    except OSError as error:
        tell(f"warning: {table}: cannot be written ({error.strerror})")


def _run_share(
    records: list[dict[str, str]],
    options: argparse.Namespace,
    overrides: dict[str, Any],
    states: dict[str, str],
) -> bool:
    """Do these pairs; what became of each goes into ``states``. Says whether any failed."""
    if not records:
        return False
    from bundle.workflow import go_through

    evaluator = evaluator_of(records, options, overrides)
    try:
        go_through(evaluator)
    finally:
        states |= {records[n - 1]["id"]: text for n, text in evaluator.outcomes.items()}
    return bool(evaluator.failures)


def is_done(record: dict[str, str]) -> bool:
    """Whether the results of a pair are there already."""
    if "derivatives" in record:
        from bundle.workflow.bids.find import is_finished

        return is_finished(record)
    from bundle.results.folder import has_results

    return "output_dir" in record and has_results(Path(record["output_dir"]))


def evaluator_of(
    records: list[dict[str, str]], options: argparse.Namespace, overrides: dict[str, Any]
) -> Any:
    """``configs/inference.json`` with these pairs and options."""
    from monai.bundle import ConfigParser

    from bundle.networks import usable_device

    config = ConfigParser()
    overlays = ["inference.json"] if options.bids is None else ["inference.json", "bids.json"]
    config.read_config([ROOT / "configs" / name for name in overlays])
    config["bundle_root"] = str(ROOT)
    config["dataset"]["data"] = tuple(records)  # the parser leaves '@' in a tuple's paths alone
    config["dataloader"]["num_workers"] = options.workers
    for name in SHARED:
        config[name] = getattr(options, name)
    if options.device is not None:
        config["device"] = usable_device(options.device)
    config.update(overrides)
    return or_exit(config.get_parsed_content, "evaluator")
