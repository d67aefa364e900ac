"""Train the network's ablations with the same data, seed and budget, and tabulate them (Table 3).

Run from the repository root::

    python -m scripts.ablation --dataset_dir AANLIB --max_epochs 40 --output_dir out/ablation

Each variant is trained by ``run training`` (registration and fusion together) and measured by
``run evaluating`` at the size it was trained at; finished parts are not done again. The table
``ablation.md`` has the paper's four measures and EPE per level, means over all pairs.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bundle.engine.reference_rows import METHOD, NO_REGISTRATION
from bundle.errors import InputError, or_exit
from bundle.results.page import number, table
from bundle.transforms.reat import LEVELS

ROOT = Path(__file__).resolve().parents[1]
VARIANTS = {
    "full": None,
    "forward only": "ablation_forward",
    "reverse only": "ablation_reverse",
    "single scale": "ablation_single_scale",
}
MEASURES = {"SD": 2, "Q": 3, "VIF": 3, "SSIM": 3, "EPE": 2}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if an option cannot be used or a run
            fails.
    """
    options = _parser().parse_args(arguments)
    or_exit(_run, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.ablation")
    parser.description = "Train and measure the network's ablations."
    parser.add_argument("--dataset_dir", help="AANLIB's layout; by default the phantom")
    parser.add_argument("--output_dir", default="out/ablation")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--max_epochs", type=int, default=40, help="of every variant")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--image_size", type=int, choices=(64, 128, 256), default=64)
    return parser


def _run(options: argparse.Namespace) -> None:
    if options.max_epochs < 1:
        raise InputError(f"--max_epochs {options.max_epochs}: give 1 or more")
    folder = Path(options.output_dir).resolve()
    rows = {}
    for name in options.variants:
        own = folder / name.replace(" ", "_")
        if not (own / "evaluation" / "metrics.csv").is_file():
            _train_and_evaluate(VARIANTS[name], own, options)
        rows[name] = _read(own / "evaluation" / "metrics.csv")
    text = page(rows, options)
    (folder / "ablation.md").write_text(text, encoding="utf-8")
    print(text)


def _train_and_evaluate(overlay: str | None, folder: Path, options: argparse.Namespace) -> None:
    reduction = {"image_size": options.image_size, "reduction": 256 // options.image_size}
    shared = {**reduction, "num_workers": 0}
    if options.dataset_dir:
        shared["dataset_dir"] = str(Path(options.dataset_dir).resolve())
    budget = {
        "max_epochs": options.max_epochs,
        "val_interval": options.max_epochs,
        "batch_size": options.batch_size,
        "seed": options.seed,
        "stage": "all",
        "ckpt_dir": str(folder),
        "resume": "true",
    }
    overlays = [overlay] if overlay else []
    _bundle("training", ["train", *overlays], shared | budget)
    measured = {"checkpoint": str(folder / "model.pt"), "output_dir": str(folder / "evaluation")}
    _bundle("evaluating", ["train", *overlays, "evaluate"], shared | measured)


def _bundle(run_id: str, configs: Sequence[str], settings: dict) -> None:
    """Run a part of the bundle in a process of its own."""
    files = [str(ROOT / "configs" / f"{name}.json") for name in configs]
    command = [sys.executable, "-m", "monai.bundle", "run", run_id, "--config_file", str(files)]
    for name, value in settings.items():
        command += [f"--{name}", str(value)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
        raise InputError(f"{run_id} with {', '.join(configs)} failed; its messages are above")


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def page(rows: dict[str, list[dict[str, str]]], options: argparse.Namespace) -> str:
    """The table.

    Args:
        rows: variant to the rows of its evaluation.
        options: of the command, to say what was done.

    Returns:
        Markdown.
    """
    lines = []
    for level in LEVELS:
        for name, found in rows.items():
            lines.append([name, level, *_means(found, level, METHOD, options.image_size)])
        first = next(iter(rows.values()))
        epe = _means(first, level, NO_REGISTRATION, options.image_size)
        lines.append([NO_REGISTRATION, level, *epe])
    note = (
        f"{options.max_epochs} epochs each, batches of {options.batch_size}, seed {options.seed}, "
        f"{options.image_size} px, data: {'the phantom' if not options.dataset_dir else 'a folder'}"
        ". EPE in px of 256; means over all validation pairs."
    )
    return f"# Ablation\n\n{note}\n\n{table(['variant', 'level', *MEASURES], lines)}\n"


def _means(rows: Sequence[dict[str, str]], level: str, row: str, size: int) -> list[str]:
    chosen = [r for r in rows if r["level"] == level and r["row"] == row]
    cells = []
    for name, decimals in MEASURES.items():
        values = [float(r[name]) for r in chosen if r.get(name)]
        mean = sum(values) / len(values) if values else math.nan
        cells.append(number(mean * (256 / size if name == "EPE" else 1), decimals))
    return cells


if __name__ == "__main__":
    main()
