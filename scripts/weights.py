"""Make the weights again by the recipe of ``configs/recipe``.

Run from the repository root::

    python -m scripts.weights --data DATA [--scale 0.01]

``DATA`` holds ``aanlib``, ``stacks`` and ``heads``; without it the phantom serves. Stages run in
the order of their names, each from the weights of the one before. A run that was stopped, however,
goes on with the same command; a stage that is done is not done again. At scale 1 the weights take
the place of ``models/model.pt``, which is kept as ``models/model.earlier.pt``; at any other scale
they stay in the output folder.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bundle.errors import InputError
from bundle.paths import MODEL, ROOT
from bundle.training import recipe
from scripts.command import or_exit

TRACKING = ROOT / "configs" / "tracking.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if a stage fails.
    """
    or_exit(_run, _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.weights")
    parser.description = "Make the weights again by the recipe of configs/recipe."
    parser.add_argument("--data", type=Path, help="folder with aanlib, stacks and heads")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of training pairs")
    parser.add_argument("--output_dir", type=Path, default=Path("runs/weights"))
    parser.add_argument("--recipe", type=Path, default=recipe.RECIPE, help="folder of the stages")
    parser.add_argument(
        "--override", nargs="*", default=[], metavar="ID=VALUE", help="of all stages"
    )
    return parser


def _run(options: argparse.Namespace) -> None:
    found = recipe.stages(options.data, options.scale, options.recipe)
    overrides = dict(_pair(word) for word in options.override)
    folder: Path = options.output_dir
    folder.mkdir(parents=True, exist_ok=True)
    parent, weights = _parent(folder), None
    for stage in found:
        own = folder / stage.name
        changed = recipe.Stage(stage.name, stage.config, {**stage.settings, **overrides})
        fingerprint = changed.fingerprint(recipe.sha256(weights) if weights else None)
        if recipe.is_done(own, fingerprint):
            print(f"{stage.name}: done already", flush=True)
        else:
            print(f"{stage.name}: begins", flush=True)
            _train(changed, own, weights, parent)
            recipe.mark_done(own, fingerprint)
        weights = own / "model.pt"
    if weights is None:
        raise InputError(f"{options.recipe}: holds no stage; name a folder of configurations")
    _finish(weights, options)


def _pair(word: str) -> tuple[str, str]:
    name, separator, value = word.partition("=")
    if not separator:
        raise InputError(f"--override {word}: write ID=VALUE")
    return name, value


def _store(folder: Path) -> str:
    return f"sqlite:///{folder.resolve() / 'mlruns.db'}"


def _parent(folder: Path) -> str:
    """The MLflow run that the stages belong to; made once per output folder."""
    from bundle.training.tracking.parent import parent_run

    note = folder / "parent_run"
    if not note.is_file():
        note.write_text(parent_run(_store(folder), folder.name), encoding="utf-8")
    return note.read_text(encoding="utf-8")


def _train(stage: recipe.Stage, folder: Path, before: Path | None, parent: str) -> None:
    import torch

    more = [str(ROOT / "configs" / "on_device.json")] if torch.cuda.is_available() else []
    words = recipe.command(stage, folder, before, more)
    tracking = ["--tracking", str(TRACKING), "--tracking_uri", _store(folder.parent)]
    words += [*tracking, "--parent_run", parent, "--run_name", stage.name]
    if subprocess.run([sys.executable, *words], cwd=ROOT, check=False).returncode:
        raise InputError(f"{stage.name}: stopped; the same command goes on from its last epoch")


def _finish(weights: Path, options: argparse.Namespace) -> None:
    """Put the weights and what they were made of where they belong."""
    record = recipe.record_of(weights, options.recipe, options.data)
    made = options.output_dir / "model.pt"
    made.write_bytes(weights.read_bytes())
    recipe.write_json(record, options.output_dir / "weights.json")
    if options.scale == 1 and options.recipe == recipe.RECIPE:
        MODEL.replace(MODEL.with_suffix(".earlier.pt"))
        MODEL.write_bytes(weights.read_bytes())
        recipe.into_metadata(record)
        made = MODEL
    print(f"weights: {made}, SHA-256 {record['sha256'][:12]}")


if __name__ == "__main__":
    main()
