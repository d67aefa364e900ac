"""Make the weights again by the recipe of ``configs/recipe``.

Run from the repository root::

    python -m scripts.weights --data DATA [--scale 0.01]

``DATA`` holds ``aanlib``, ``stacks`` and ``heads``; without it the phantom serves. Stages run in
the order of their names, each from the weights of the one before. A run that was stopped, however,
goes on with the same command; a stage that is done is not done again, and one whose settings or
data have changed is begun anew. With data, at scale 1, without overrides, the weights take the
place of ``models/model.pt``, which is kept as ``models/model.earlier.pt``; else they stay in the
output folder.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bundle.errors import InputError
from bundle.paths import MODEL, ROOT
from bundle.training import recipe
from scripts.command import or_exit, program

TRACKING = ROOT / "configs" / "tracking.json"
PARENT = "parent_run"
OWN = {
    *("bundle_root", "ckpt_dir", "output_dir", "resume", "initial_weights", "config_file"),
    *("tracking", "tracking_uri", "run_name", "parent_run", *recipe.SOURCES),
}
"""Ids that the command itself sets."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if a stage fails.
    """
    or_exit(_run, _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("weights"))
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
    overrides = dict(_pair(word) for word in options.override)
    recipe.stages(options.data, options.scale, options.recipe)  # told before torch is loaded
    overlays = _overlays()
    found = [
        replace(stage, settings={**stage.settings, **overrides})
        for stage in recipe.stages(options.data, options.scale, options.recipe, overlays)
    ]
    folder: Path = options.output_dir.resolve()
    _check(found, folder, overlays)
    data = recipe.digests(options.data)
    folder.mkdir(parents=True, exist_ok=True)
    with recipe.held(folder) as descriptors:
        before: Path | None = None
        for stage in found:
            own = folder / stage.name
            sha256 = recipe.sha256(before) if before else None
            fingerprint = stage.fingerprint(sha256, data)
            if recipe.is_done(own, fingerprint):
                print(f"{stage.name}: done already", flush=True)
            else:
                goes_on = recipe.begin(own, stage.fingerprint(sha256, data, overlays))
                words = recipe.command(stage, own, before, overlays, goes_on)
                _train(stage.name, words, folder, goes_on, descriptors)
                recipe.mark_done(own, fingerprint, overlays)
            before = own / "model.pt"
        _finish(found, folder, data, overrides, options)


def _pair(word: str) -> tuple[str, str]:
    name, separator, value = word.partition("=")
    if not (name and separator):
        raise InputError(f"--override {word}: write ID=VALUE")
    if name in OWN:
        raise InputError(f"--override {word}: the command itself sets {name}; leave it out")
    return name, value


def _overlays() -> list[Path]:
    """Configurations that suit this machine."""
    import torch

    return [ROOT / "configs" / "on_device.json"] if torch.cuda.is_available() else []


def _check(stages: Sequence[recipe.Stage], folder: Path, overlays: Sequence[Path]) -> None:
    """Look at the settings of all stages before the first begins."""
    from bundle.workflow.command_options import refuse_unknown_options

    for stage in stages:
        words = recipe.command(stage, folder, None, overlays)
        refuse_unknown_options(["monai/bundle/__main__.py", *words[2:], *_tracking(folder)])


def _tracking(folder: Path) -> list[str]:
    from bundle.training.tracking import store_of

    return ["--tracking", str(TRACKING), "--tracking_uri", store_of(folder)]


def _train(
    name: str, words: Sequence[str], folder: Path, goes_on: bool, descriptors: Sequence[int]
) -> None:
    """Train a stage in a process of its own.

    Args:
        name: of the stage.
        words: of its command.
        folder: of all stages and of their records.
        goes_on: from a checkpoint.
        descriptors: that the process shares, see :func:`bundle.training.recipe.held`.
    """
    from bundle.training.tracking.parent import end_stopped, parent_run
    from bundle.training.tracking.store import artifacts_of, usable

    *tracking, store = _tracking(folder)
    note = folder / PARENT
    before = note.read_text(encoding="utf-8") if note.is_file() else None
    with usable(store):
        parent = parent_run(store, folder.name, artifacts_of(store), before)
        recipe.write_text(parent, note)
        if not goes_on:
            end_stopped(store, parent, name)
    print(f"{name}: {'goes on' if goes_on else 'begins'}", flush=True)
    words = [*words, *tracking, store, "--parent_run", parent, "--run_name", name]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, check=False, pass_fds=descriptors)
    if done.returncode:
        raise InputError(
            f"{name}: stopped, see above; the same command goes on from its last epoch"
        )


def _finish(
    stages: Sequence[recipe.Stage],
    folder: Path,
    data: Mapping[str, str],
    overrides: Mapping[str, str],
    options: argparse.Namespace,
) -> None:
    """Put the weights and what they were made of where they belong."""
    from bundle.training.checkpoint import make_folder
    from bundle.training.tracking.parent import end
    from bundle.training.tracking.store import usable

    weights = folder / stages[-1].name / "model.pt"
    notes = [recipe.note_of(folder / stage.name) for stage in stages]
    used = dict.fromkeys(name for note in notes for name in note["overlays"])
    record = recipe.record_of(weights, [stage.config for stage in stages], data, list(used))
    whole = options.data is not None and options.scale == 1 and not overrides
    shipped = whole and options.recipe.resolve() == recipe.RECIPE
    if not shipped:
        record |= {"scale": options.scale, "overrides": dict(overrides)}
    made, note = folder / "model.pt", folder / PARENT
    changed = not made.is_file() or recipe.sha256(made) != record["sha256"]
    recipe.put_file(weights, made)
    record = recipe.put_record(record, folder / "weights.json")
    if shipped:
        if MODEL.is_file() and recipe.sha256(MODEL) != record["sha256"]:
            make_folder(str(MODEL.parent), resume=False)  # keeps it as model.earlier.pt
        recipe.put_file(weights, MODEL)
        recipe.into_metadata(record, recipe.METADATA)
        made = MODEL
    if changed and note.is_file():
        store = _tracking(folder)[-1]
        with usable(store):
            end(store, note.read_text(encoding="utf-8"))
    print(f"weights: {made}, SHA-256 {record['sha256'][:12]}")


if __name__ == "__main__":
    main()
