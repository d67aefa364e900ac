"""Check a folder of picture pairs: partners, readability, sizes, splits.

Run from the repository root::

    python -m scripts.verify_data DIR

Prints every finding; exits with 1 if any of them is an error.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bundle.training.verify import counts, verify_folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 if the folder cannot be used as it is.
    """
    parser = argparse.ArgumentParser(prog="python -m scripts.verify_data", description=__doc__)
    parser.add_argument("folder", help="laid out as my_pairs/CT-MRI/train/MRI/NAME.png")
    options = parser.parse_args(arguments)
    findings = verify_folder(options.folder)
    for finding in findings:
        print(f"{'error' if finding.error else 'warning'}: {finding.message}")
    for modality, (train, val) in counts(options.folder).items():
        print(f"{modality}: {train} train, {val} val")
    errors = sum(finding.error for finding in findings)
    print(f"{errors} errors, {len(findings) - errors} warnings")
    if errors:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
