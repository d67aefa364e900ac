"""Write docs/results.md and its plots out of an evaluation.

Run from the repository root::

    python -m scripts.results --evaluation out/evaluation --output_dir docs --overwrite

Tables of the ablation, the baselines and an evaluation on the phantom join where their files are.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bundle.errors import InputError
from bundle.evaluation.files import RUN
from bundle.evaluation.tables.page import Results, page
from bundle.evaluation.tables.plots import plot_fields, plot_fusion
from bundle.metrics.summary import ID_COLUMNS, summarise
from bundle.networks.weights import weights_sha256
from bundle.paths import MODEL
from scripts.command import or_exit, program

COMMAND = (
    ".venv/bin/python -m monai.bundle run evaluating "
    "--config_file \"['configs/train.json','configs/evaluate.json']\" "
    "--dataset_dir DIR --output_dir out/evaluation"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if there is no readable evaluation, or
            a page already.
    """
    parser = argparse.ArgumentParser(prog=program("results"), description=__doc__)
    parser.add_argument("--evaluation", default="out/evaluation", help="folder of summary.json")
    parser.add_argument("--output_dir", default="docs", help="where results.md is written")
    parser.add_argument("--ablation", default="out/ablation", help="folder of ablation.json")
    parser.add_argument("--baselines", default="out/baselines", help="folder of baselines.csv")
    parser.add_argument(
        "--phantom", default="out/phantom_evaluation", help="folder of an evaluation on the phantom"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing results.md")
    options = parser.parse_args(arguments)
    or_exit(_run, options)


def _run(options: argparse.Namespace) -> None:
    target = Path(options.output_dir) / "results.md"
    if target.exists() and not options.overwrite:
        raise InputError(f"{target}: exists already; name another --output_dir or add --overwrite")
    others = {
        "ablation": _if_there(Path(options.ablation) / "ablation.json"),
        "baselines": _if_there(Path(options.baselines) / "baselines.csv"),
        "phantom": _if_there(Path(options.phantom) / "summary.json"),
    }
    write_results(
        Path(options.evaluation) / "summary.json",
        Path(options.output_dir),
        _facts(Path(options.ablation) / "budget.json"),
        **others,
    )


def _if_there(path: Path) -> Results | None:
    """Means of a summary or of a table of pairs; None where there is no such file."""
    if not path.is_file():
        return None
    return _read(path, "correct or delete it")


def _read(path: Path, remedy: str) -> Results:
    try:
        if path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                return Results(summarise([_numbers(row) for row in csv.DictReader(file)]))
        return Results(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not readable; {remedy}") from error


def _facts(path: Path) -> dict[str, Any]:
    """What a file tells about a run; nothing where there is no such file."""
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not readable; correct or delete it") from error


def _numbers(row: dict[str, str]) -> dict[str, Any]:
    """A row of a table of pairs with its measures as numbers; empty cells are left out."""
    return {
        key: value if key in ID_COLUMNS else float(value) for key, value in row.items() if value
    }


def write_results(
    summary: Path,
    output_dir: Path,
    budget: dict[str, Any] | None = None,
    **others: Results | None,
) -> None:
    """Write ``results.md`` and ``images/*.png``.

    Args:
        summary: ``summary.json`` of an evaluation; ``run.json`` beside it says what that was.
        output_dir: folder of the page.
        budget: of the ablation, see :func:`bundle.evaluation.tables.notes.ablation_note`.
        **others: ``ablation``, ``baselines`` and ``phantom`` of
            :func:`bundle.evaluation.tables.page.page`.

    Raises:
        InputError: the summary is missing or no summary, or ``run.json`` cannot be read.
    """
    results = _read(summary, "run the evaluation first")
    if not results.rows:
        raise InputError(f"{summary}: holds no rows; run the evaluation first")
    run = _facts(summary.with_name(RUN))
    images = output_dir / "images"
    images.mkdir(parents=True, exist_ok=True)
    plot_fields(results, images / "epe.png", run.get("image_size"))
    plot_fusion(results, images / "fusion.png")
    pictures = [path.name for path in images.glob("*.png")]
    own = weights_sha256(MODEL)
    text = page(results, COMMAND, run, own, pictures=pictures, budget=budget, **others)
    (output_dir / "results.md").write_text(text, encoding="utf-8")
    print(f"{output_dir / 'results.md'} written")


if __name__ == "__main__":
    main()
