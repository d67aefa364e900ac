"""Train the network's ablations with the same data, seed and budget, and tabulate them (Table 3).

Run from the repository root::

    python -m scripts.ablation --dataset_dir AANLIB --max_epochs 40 --output_dir out/ablation

Each variant is trained by ``run training`` and measured by ``run evaluating`` at the size it was
trained at; an interrupted run goes on, finished parts are not done again. Registration and fusion
are trained together, or, with ``--fusion_epochs N``, registration alone for ``--max_epochs``, then
the reconstruction for N. ``paper recipe`` has the losses and the optimiser of configs/paper.json.
The tables ``ablation.md`` and ``ablation.json`` have the paper's four measures and EPE by modality
and level.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bundle.domain import LEVELS, MODALITIES
from bundle.errors import InputError
from bundle.evaluation.reference_rows import METHOD, NO_REGISTRATION
from bundle.evaluation.tables.page import number, table
from bundle.metrics.tables import write_json
from bundle.paths import ROOT
from scripts.command import or_exit, program

VARIANTS = {
    "full": None,
    "forward only": "ablation_forward",
    "reverse only": "ablation_reverse",
    "single scale": "ablation_single_scale",
    "paper recipe": "paper",
}
BUDGET = ("dataset_dir", "max_epochs", "fusion_epochs", "batch_size", "seed", "image_size")
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
    parser = argparse.ArgumentParser(prog=program("ablation"))
    parser.description = "Train and measure the network's ablations."
    parser.add_argument("--dataset_dir", help="AANLIB's layout; by default the phantom")
    parser.add_argument("--output_dir", default="out/ablation")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--max_epochs", type=int, default=40, help="of every variant")
    parser.add_argument(
        "--fusion_epochs", type=int, default=0,
        help="train registration alone for --max_epochs, then fusion alone for so many",
    )  # fmt: skip
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--image_size", type=int, choices=(64, 128, 256), default=64)
    return parser


def _run(options: argparse.Namespace) -> None:
    if options.max_epochs < 1:
        raise InputError(f"--max_epochs {options.max_epochs}: give 1 or more")
    if options.fusion_epochs < 0:
        raise InputError(f"--fusion_epochs {options.fusion_epochs}: give 0 or more")
    folder = Path(options.output_dir).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    _same_budget(folder / "budget.json", options)
    rows = {}
    for name in options.variants:
        own = folder / name.replace(" ", "_")
        if not (own / "evaluation" / "metrics.csv").is_file():
            _train_and_evaluate(VARIANTS[name], own, options)
        rows[name] = _read(own / "evaluation" / "metrics.csv")
    text = page(rows, options)
    (folder / "ablation.md").write_text(text, encoding="utf-8")
    write_json(_summary(rows, options.image_size), folder / "ablation.json")
    print(text)


def _same_budget(path: Path, options: argparse.Namespace) -> None:
    """Refuse to lay runs of different budgets or data side by side."""
    budget = {key: getattr(options, key) for key in BUDGET}
    if not path.is_file():
        path.write_text(json.dumps(budget, indent=1) + "\n", encoding="utf-8")
    elif json.loads(path.read_text(encoding="utf-8")) != budget:
        raise InputError(
            f"{path}: the runs there had another data set, seed or budget; name another "
            "--output_dir"
        )


def _train_and_evaluate(overlay: str | None, folder: Path, options: argparse.Namespace) -> None:
    reduction = {"image_size": options.image_size, "reduction": 256 // options.image_size}
    shared = {**reduction, "num_workers": 0}
    if options.dataset_dir:
        shared["dataset_dir"] = str(Path(options.dataset_dir).resolve())
    shared_budget = {"batch_size": options.batch_size, "seed": options.seed, "resume": "true"}
    overlays = [overlay] if overlay else []
    weights: dict[str, str] = {}
    for stage, epochs in _stages(options):
        own = folder if stage == "all" else folder / stage
        budget = {"max_epochs": epochs, "val_interval": epochs, "stage": stage, "ckpt_dir": own}
        _bundle("training", ["train", *overlays], shared | shared_budget | budget | weights)
        weights = {"initial_weights": str(own / "model.pt")}
    measured = {
        "checkpoint": weights["initial_weights"],
        "output_dir": str(folder / "evaluation"),
        "overwrite": "true",
    }
    _bundle("evaluating", ["train", *overlays, "evaluate"], shared | measured)


def _stages(options: argparse.Namespace) -> list[tuple[str, int]]:
    """What is trained one after another, and for how many epochs."""
    if options.fusion_epochs:
        return [("registration", options.max_epochs), ("fusion", options.fusion_epochs)]
    return [("all", options.max_epochs)]


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
    with path.open(newline="", encoding="utf-8") as handle:
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
    for modality in MODALITIES:
        for level in LEVELS:
            for name, found in rows.items():
                means = _means(found, modality, level, METHOD, options.image_size)
                lines.append([name, modality, level, *_cells(means)])
            first = next(iter(rows.values()))
            means = _means(first, modality, level, NO_REGISTRATION, options.image_size)
            lines.append([NO_REGISTRATION, modality, level, *_cells(means)])
    note = (
        f"{_epochs(options)}, batches of {options.batch_size}, seed {options.seed}, "
        f"{options.image_size} px, data: {'the phantom' if not options.dataset_dir else 'a folder'}"
        ". EPE in px of 256; means over the validation pairs."
    )
    header = ["variant", "modality", "level", *MEASURES]
    shown = [line for line in lines if set(line[3:]) != {"–"}]
    return f"# Ablation\n\n{note}\n\n{table(header, shown)}\n"


def _epochs(options: argparse.Namespace) -> str:
    text = f"{options.max_epochs} epochs each"
    return text + (f", then {options.fusion_epochs} of fusion" if options.fusion_epochs else "")


def _summary(rows: dict[str, list[dict[str, str]]], size: int) -> list[dict]:
    """Means in the form of an evaluation's ``summary.json``, the variant as the row."""
    summary = []
    for name, found in rows.items():
        for modality in MODALITIES:
            for level in LEVELS:
                means = _means(found, modality, level, METHOD, size)
                stats = {key: {"mean": value} for key, value in means.items() if value is not None}
                if stats:
                    group = {"modality": modality, "level": level, "row": name}
                    summary.append({**group, "measures": stats})
    return summary


def _means(
    rows: Sequence[dict[str, str]], modality: str, level: str, row: str, size: int
) -> dict[str, float | None]:
    """Mean of each measure, EPE in px of 256; None where no pair has it."""
    wanted = {"modality": modality, "level": level, "row": row}
    chosen = [r for r in rows if all(r[key] == value for key, value in wanted.items())]
    means: dict[str, float | None] = {}
    for name in MEASURES:
        values = [float(r[name]) * (256 / size if name == "EPE" else 1) for r in chosen if r[name]]
        means[name] = statistics.fmean(values) if values else None
    return means


def _cells(means: dict[str, float | None]) -> list[str]:
    return [number(means[name], decimals) for name, decimals in MEASURES.items()]


if __name__ == "__main__":
    main()
