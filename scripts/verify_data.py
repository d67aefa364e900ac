"""Check a folder of training data: readability, sizes, grids, labels, splits.

The layout is told by what lies in it: picture pairs (``CT-MRI/train/MRI/NAME.png``), whole stacks
(``train/PATIENT/MR-T2_1.nii.gz``) or tissue maps of heads (``head_01.nii.gz``).

Run from the repository root::

    python -m scripts.verify_data DIR

Prints every finding; exits with 1 if any of them is an error.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bundle.training.verify import summary, verify_folder
from scripts.command import or_exit, program


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 if the folder cannot be used as it is.
    """
    parser = argparse.ArgumentParser(prog=program("verify_data"), description=__doc__)
    parser.add_argument("folder", help="of picture pairs, stacks or tissue maps")
    or_exit(_verify, parser.parse_args(arguments).folder)


def _verify(folder: str) -> None:
    findings = verify_folder(folder)
    for finding in findings:
        print(f"{'error' if finding.error else 'warning'}: {finding.message}")
    for line in summary(folder):
        print(line)
    errors = sum(finding.error for finding in findings)
    print(f"{errors} errors, {len(findings) - errors} warnings")
    if errors:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
