"""Write docs/results.md and its plots out of an evaluation.

Run from the repository root::

    python -m scripts.results --evaluation out/evaluation --output_dir docs
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from bundle.errors import InputError, or_exit
from bundle.results.page import Results, page
from bundle.results.plots import plot_fields, plot_fusion

COMMAND = (
    ".venv/bin/python -m monai.bundle run evaluating "
    "--config_file \"['configs/train.json','configs/evaluate.json']\" "
    "--dataset_dir AANLIB --output_dir out/evaluation"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if there is no readable evaluation.
    """
    parser = argparse.ArgumentParser(prog="python -m scripts.results", description=__doc__)
    parser.add_argument("--evaluation", default="out/evaluation", help="folder of summary.json")
    parser.add_argument("--output_dir", default="docs", help="where results.md is written")
    options = parser.parse_args(arguments)
    or_exit(write_results, Path(options.evaluation) / "summary.json", Path(options.output_dir))


def write_results(summary: Path, output_dir: Path) -> None:
    """Write ``results.md`` and ``images/*.png``.

    Args:
        summary: ``summary.json`` of an evaluation.
        output_dir: folder of the page.

    Raises:
        InputError: the summary is missing or no summary.
    """
    try:
        results = Results(json.loads(summary.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{summary}: not readable; run the evaluation first") from error
    images = output_dir / "images"
    images.mkdir(parents=True, exist_ok=True)
    plot_fields(results, images / "epe.png")
    plot_fusion(results, images / "fusion.png")
    (output_dir / "results.md").write_text(page(results, COMMAND), encoding="utf-8")
    print(f"{output_dir / 'results.md'} written")


if __name__ == "__main__":
    main()
