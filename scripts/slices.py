"""Draw ten slices of a fused volume: fixed, warped and fused, with what is shown in air and bone.

Run from the repository root::

    python -m scripts.slices --fixed MRI.nii.gz --results OUT --output slices.png

Below each slice stand the brightest fused value in air and, of a CT, the darkest one in bone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from scripts.command import or_exit, require_png


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if a file cannot be used.
    """
    parser = argparse.ArgumentParser(prog="python -m scripts.slices", description=__doc__)
    parser.add_argument("--fixed", type=Path, required=True, help="the fixed volume")
    parser.add_argument("--results", type=Path, required=True, help="results of scripts.fuse")
    parser.add_argument("--output", type=Path, required=True, help="PNG to write")
    or_exit(_run, parser.parse_args(arguments))


def _run(options: argparse.Namespace) -> None:
    from bundle.evaluation.tables.slice_strip import fused_slices, slice_strip

    require_png(options.output)
    slice_strip(fused_slices(options.fixed, options.results), options.output)
    print(f"slices: {options.output}")


if __name__ == "__main__":
    main()
