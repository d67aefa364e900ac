"""Make the weights again of the network that combines two fields of a volume.

Run from the repository root::

    python -m scripts.combiner --data DATA [--scale 0.1]

The heads of ``DATA/heads`` are painted, misaligned and registered with ``models/model.pt``
(``scripts.field_samples``), then the network is trained on them (``configs/combiner.json``). A run
that was stopped goes on with the same command. At scale 1 the weights take the place of
``models/combiner.pt``, which is kept as ``models/combiner.earlier.pt``, and their record goes into
``configs/metadata.json``; else they stay in the output folder.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bundle.errors import InputError
from bundle.paths import COMBINER, MODEL, ROOT
from bundle.training import recipe
from scripts.command import or_exit, program
from scripts.field_samples import samples_in

METADATA = recipe.METADATA
CONFIG = ROOT / "configs" / "combiner.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if a step fails.
    """
    or_exit(_run, _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("combiner"))
    parser.description = "Make the weights again that combine two fields of a volume."
    parser.add_argument("--data", required=True, type=Path, help="folder with heads")
    parser.add_argument("--scale", type=float, default=1.0, help="of samples and epochs")
    parser.add_argument("--output_dir", type=Path, default=Path("runs/combiner"))
    parser.add_argument("--num_workers", type=int, default=2, help="processes that make samples")
    return parser


def _run(options: argparse.Namespace) -> None:
    from bundle.training.combiner.plan import ALL_ROUNDS

    if not 0 < options.scale < math.inf:
        raise InputError(f"--scale {options.scale}: give a number above 0")
    heads = recipe.sources_of(options.data).get("heads_dir")
    if heads is None:
        raise InputError(f"{options.data}: holds no folder heads; name the one that does")
    folder: Path = options.output_dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    before = recipe.sha256(MODEL)
    samples, own = samples_in(folder, Path(heads), MODEL), folder / "training"
    epochs = math.ceil(recipe.read_json(CONFIG)["max_epochs"] * options.scale)
    stage = recipe.Stage("combiner", CONFIG, {"samples_dir": str(samples), "max_epochs": epochs})
    data = {"heads_dir": recipe.folder_digest(Path(heads))}
    fingerprint = stage.fingerprint(before, data)
    with recipe.held(folder) as descriptors:
        if recipe.is_done(own, fingerprint):
            print("combiner: done already", flush=True)
        else:
            rounds = str(math.ceil(ALL_ROUNDS * options.scale))
            workers = str(options.num_workers)
            words = ["--heads", heads, "--output_dir", str(folder), "--rounds", rounds]
            _call(["-m", "scripts.field_samples", *words, "--num_workers", workers], descriptors)
            goes_on = recipe.begin(own, fingerprint)
            _call(recipe.command(stage, own, None, (), goes_on), descriptors)
            recipe.mark_done(own, fingerprint)
        _finish(own / "model.pt", data, before, whole=options.scale == 1)


def _call(words: Sequence[str], descriptors: Sequence[int]) -> None:
    done = subprocess.run([sys.executable, *words], cwd=ROOT, check=False, pass_fds=descriptors)
    if done.returncode:
        raise InputError("stopped, see above; the same command goes on")


def _finish(weights: Path, data: dict[str, str], before: str, whole: bool) -> None:
    """Put the weights and what they were made of where they belong, if the run was a whole one."""
    made = weights
    if whole:
        if COMBINER.is_file() and recipe.sha256(COMBINER) != recipe.sha256(weights):
            COMBINER.replace(COMBINER.with_name("combiner.earlier.pt"))
        recipe.put_file(weights, COMBINER)
        record = recipe.record_of(weights, [CONFIG], data) | {"model": before}
        recipe.into_metadata(record, METADATA, key="combiner")
        made = COMBINER
    print(f"weights: {made}, SHA-256 {recipe.sha256(made)[:12]}")


if __name__ == "__main__":
    main()
