"""Register and fuse every CT, PET and SPECT image of a BIDS dataset with its subject's T1w.

A BIDS App; run from the repository root::

    python -m scripts.bids BIDS_DIR OUTPUT_DIR participant --participant_label 01 02
    python -m scripts.bids BIDS_DIR OUTPUT_DIR group

``participant`` writes BIDS derivatives and leaves what is done already; ``group`` writes one table
and page of all. ``python -m scripts.fuse --bids BIDS_DIR --derivatives OUTPUT_DIR`` does both.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bundle.errors import InputError
from bundle.workflow.bids.find import WORK, find_bids, is_finished, require_dataset
from scripts import fuse
from scripts.collector import collect_seldom
from scripts.command import add_debug, add_options, given_options, or_report, show_traces
from scripts.run_pairs import run_many
from scripts.streams import say, tell

LEVELS = ("participant", "group")

LABELS = ("participant_label", "session_label", "t1w")

UNFIT = ("dicom_output", "ddf_full")
"""Options of results that BIDS has no place for."""


def main(arguments: Sequence[str] | None = None, **overrides: Any) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.
        **overrides: values for other ids of ``configs/inference.json``.

    Raises:
        SystemExit: with status 1 and one line on stderr for each image that cannot be done.
    """
    given = _parser().parse_args(arguments)
    options = fuse._parser().parse_args(["--bids", given.bids, "--derivatives", given.derivatives])
    vars(options).update(vars(given))
    show_traces(options.debug)
    or_report(_run, options, overrides)
    say(f"results in {options.derivatives}")


def _parser() -> argparse.ArgumentParser:
    """The options that BIDS Apps have, and those of ``scripts.fuse`` that fit."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bids")
    parser.description = "Register every CT, PET and SPECT of a BIDS dataset onto the T1w."
    parser.add_argument("bids", metavar="bids_dir", help="the dataset")
    parser.add_argument("derivatives", metavar="output_dir", help="folder for the derivatives")
    parser.add_argument("level", metavar="participant|group", choices=LEVELS, help="what to do")
    parser.add_argument("--participant_label", nargs="+", default=[], help="subjects, 01 or sub-01")
    parser.add_argument("--session_label", nargs="+", default=[], help="sessions of the images")
    fuse.add_t1w(parser)
    parser.add_argument(
        "--skip_bids_validation", action="store_true", help="take a dataset without description"
    )
    names = [name for name in fuse.SHARED if name not in UNFIT]
    add_options(parser, *names, "device")
    parser.add_argument("--workers", type=int, default=0, help="processes that read pairs ahead")
    add_debug(parser)
    return parser


def records_of(options: argparse.Namespace) -> list[dict[str, str]]:
    """The images of a dataset; makes the folder for the results.

    Args:
        options: of this command, or of ``scripts.fuse --bids``.

    Raises:
        InputError: the dataset or an option cannot be used.
    """
    from bundle.workflow.bids.dataset import write_dataset

    if not options.derivatives:
        raise InputError("name a folder for the results: --derivatives")
    if options.output_dir is not None or options.modality is not None:
        raise InputError("--bids: goes without --output_dir and --modality")
    for name in UNFIT:
        if getattr(options, name):
            raise InputError(f"--{name}: BIDS has no place for it; leave it out")
    root, out = Path(options.bids), Path(options.derivatives)
    if not getattr(options, "skip_bids_validation", True):
        require_dataset(root)
    labels = [getattr(options, name, ()) for name in LABELS]
    records = find_bids(root, out, *labels)
    if getattr(options, "level", "") == "group":
        _require_results(records, out)
    write_dataset(out, root)
    options.skip_existing = not options.overwrite
    return records


def _require_results(records: Sequence[Mapping[str, str]], out: Path) -> None:
    """Refuse a table of nothing."""
    if all(_state(record, out) == "not done" for record in records):
        raise InputError(f"{out}: holds no results of this dataset; run participant first")


def _run(options: argparse.Namespace, overrides: dict[str, Any]) -> None:
    given_options(options)
    records = records_of(options)
    if options.level == "group":
        write_table(records, Path(options.derivatives))
    else:
        run_many(records, options, overrides)


def write_logs(rows: Sequence[Mapping[str, object]], options: argparse.Namespace) -> None:
    """Write down what failed; without a level, as ``scripts.fuse`` has none, the group's page too.

    Args:
        rows: of :func:`bundle.results.summary.summary_rows`.
        options: of the command.
    """
    out = Path(options.derivatives)
    try:
        for row in rows:
            log = _log(out, str(row["id"]))
            if row["status"] == "failed":
                log.parent.mkdir(exist_ok=True)
                log.write_text(f"{row['remarks']}\n", encoding="utf-8")
            elif row["status"] == "done":
                log.unlink(missing_ok=True)
        if not hasattr(options, "level"):
            write_table(find_bids(options.bids, out, t1w=options.t1w), out)
    except OSError as error:
        tell(f"warning: {out}: cannot be written to ({error.strerror})")


def write_table(records: Sequence[Mapping[str, str]], out: Path) -> None:
    """Write the group's table and page from what is there.

    Args:
        records: of the dataset's images.
        out: the derivatives.
    """
    from bundle.results.group import write_group
    from bundle.results.summary import summary_rows

    with suppress(OSError):  # something is in it, or it is gone
        (out / WORK).rmdir()
    states = {record["id"]: _state(record, out) for record in records}
    write_group(
        summary_rows(records, states),
        {record["id"]: Path(record["report_file"]) for record in records},
        out,
    )


def _state(record: Mapping[str, str], out: Path) -> str:
    """What became of an image."""
    if is_finished(record):
        return "done"
    if "error" in record:
        return record["error"]
    log = _log(out, record["id"])
    return log.read_text(encoding="utf-8").strip() if log.is_file() else "not done"


def _log(out: Path, name: str) -> Path:
    return out / "logs" / f"{name}.txt"


if __name__ == "__main__":
    collect_seldom()
    main()
