"""Draw the learning curve out of the logs of one or more runs that follow each other.

Run from the repository root::

    python -m scripts.learning_curve run1.log run2.log --pairs_per_epoch 544 --output curve.png
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib

from bundle.errors import InputError
from scripts.command import or_exit, program

matplotlib.use("Agg")  # files only: no display needed

from matplotlib import pyplot as plt  # noqa: E402

TRAINING = re.compile(r"epoch (\d+): .*?\bddf ([\d.]+)")
VALIDATION = re.compile(r"EPE ([\d.]+) px over \d+ pairs")
Curve = list[tuple[int, float]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if a log is missing or holds no epoch.
    """
    parser = argparse.ArgumentParser(prog=program("learning_curve"), description=__doc__)
    parser.add_argument("logs", nargs="+", help="what training printed, in order")
    parser.add_argument("--pairs_per_epoch", type=int, default=1, help="scale of the x axis")
    parser.add_argument("--output", required=True, help="picture to write")
    options = parser.parse_args(arguments)
    logs = [Path(log) for log in options.logs]
    or_exit(draw, logs, options.pairs_per_epoch, Path(options.output))


def draw(logs: Sequence[Path], pairs_per_epoch: int, output: Path) -> None:
    """Draw training loss and validation error over the pairs seen.

    Args:
        logs: logs of runs, each beginning where the one before ended; one that begins after
            epoch 1 is the same run, resumed.
        pairs_per_epoch: training pairs in an epoch.
        output: picture file.

    Raises:
        InputError: a log is not readable or holds no epoch, there are no pairs, or no picture
            has this suffix.
    """
    if pairs_per_epoch < 1:
        raise InputError(f"--pairs_per_epoch {pairs_per_epoch}: give 1 or more")
    training, validation = joined(logs)
    figure, axis = plt.subplots(figsize=(8, 3.6))
    right = axis.twinx()
    for target, curve, label, color in (
        (axis, training, "training: loss of the ddf\n(weighted L1 in px of 256, and SSIM)", "C0"),
        (right, validation, "validation: EPE, px of the training size", "C3"),
    ):
        pairs = [epoch * pairs_per_epoch for epoch, _ in curve]
        target.plot(pairs, [value for _, value in curve], color=color, linewidth=1)
        target.set_ylabel(label, color=color, fontsize=8)
    axis.set_xlabel("training pairs" if pairs_per_epoch > 1 else "epochs")
    figure.tight_layout()
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        figure.savefig(output, dpi=90, metadata={"Software": None})
    except ValueError as error:
        raise InputError(f"{output}: not a kind of picture; name it .png") from error
    finally:
        plt.close(figure)


def joined(logs: Sequence[Path]) -> tuple[Curve, Curve]:
    """Training loss and validation error over all logs; of epochs done twice the later one."""
    training: dict[int, float] = {}
    validation: dict[int, float] = {}
    start = last = 0
    for log in logs:
        losses, errors = read_curves(log)
        if losses[0][0] == 1:
            start = last
        training |= {start + epoch: value for epoch, value in losses}
        validation |= {start + epoch: value for epoch, value in errors}
        last = start + losses[-1][0]
    return sorted(training.items()), sorted(validation.items())


def read_curves(log: Path) -> tuple[Curve, Curve]:
    """Training loss and validation EPE of a log, each as (epoch, value).

    Raises:
        InputError: the log is not readable or holds no epoch.
    """
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{log}: not readable; name the file training printed to") from error
    losses: Curve = []
    errors: Curve = []
    for line in re.split(r"[\r\n]", text):
        if match := TRAINING.search(line):
            losses.append((int(match[1]), float(match[2])))
        elif (match := VALIDATION.search(line)) and losses:
            errors.append((losses[-1][0], float(match[1])))
    if not losses:
        raise InputError(f"{log}: no finished epoch; name the file training printed to")
    return losses, errors


if __name__ == "__main__":
    main()
