"""Draw the picture of the README out of the results of the demo.

Run from the repository root, after ``make demo``::

    python -m scripts.overview --demo out/demo --output docs/images/overview.png

One row per pair: the MRI, the moving image before and after registration with the outlines of the
MRI's brain and ventricles, the fused image, and the displacement field as a grid.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bundle.errors import InputError
from bundle.evaluation.tables.overview import draw_overview
from scripts.command import or_exit, program, require_png


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if the demo's results are not there or the
            picture is no PNG.
    """
    parser = argparse.ArgumentParser(prog=program("overview"))
    parser.description = "Draw the picture of the README out of the results of make demo."
    parser.add_argument("--demo", type=Path, default=Path("out/demo"), help="folder of the demo")
    parser.add_argument("--output", type=Path, required=True, help="picture to write, .png")
    or_exit(_run, parser.parse_args(arguments))


def _run(options: argparse.Namespace) -> None:
    require_png(options.output)
    if not (options.demo / "phantom").is_dir():
        raise InputError(f"{options.demo}: holds no results of the demo; run make demo first")
    draw_overview(options.demo, options.output)
    print(options.output)


if __name__ == "__main__":
    main()
