"""The recipe of the weights: its stages, what each is made of, and when one is done."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.errors import InputError
from bundle.paths import ROOT

RECIPE = ROOT / "configs" / "recipe"
BASE = ROOT / "configs" / "train.json"
METADATA = ROOT / "configs" / "metadata.json"
DONE = "done.json"
FEWEST = 2
"""Batches that an epoch has at least, however small the scale."""

SOURCES = {
    "dataset_dir": "aanlib",
    "stacks_dir": "stacks",
    "heads_dir": "heads",
    "palette_dir": "palettes",
}
"""Ids of ``configs/train.json`` and the folders of the data that they name."""


@dataclass(frozen=True)
class Stage:
    """A stage of the recipe.

    Attributes:
        name: of its folder and its run.
        config: its overlay of ``configs/train.json``.
        settings: ids and values that the scale and the data add to it.
    """

    name: str
    config: Path
    settings: Mapping[str, Any]

    def fingerprint(self, before: str | None) -> str:
        """What the stage is made of: configurations, settings and the weights it starts from.

        Args:
            before: SHA-256 of those weights.
        """
        digest = hashlib.sha256()
        for path in (BASE, self.config):
            digest.update(path.read_bytes())
        places = set(SOURCES)
        settings = {key: value for key, value in self.settings.items() if key not in places}
        digest.update(json.dumps([settings, before], sort_keys=True).encode())
        return digest.hexdigest()


def stages(data: Path | None, scale: float = 1.0, recipe: Path = RECIPE) -> list[Stage]:
    """The stages in order.

    Args:
        data: folder with ``aanlib``, ``stacks``, ``heads`` and ``palettes``, of which any may be
            missing, or one in AANLIB's layout; None: the phantom.
        scale: of the number of training pairs.
        recipe: folder of the configurations, run in the order of their names.

    Raises:
        InputError: the folder is not there, or the scale is not above 0.
    """
    if not scale > 0:
        raise InputError(f"--scale {scale}: give a number above 0")
    sources = sources_of(data)
    base = json.loads(BASE.read_text(encoding="utf-8"))
    found = []
    for path in sorted(recipe.glob("*.json")):
        own = base | json.loads(path.read_text(encoding="utf-8"))
        name = path.stem.partition("_")[2]
        found.append(Stage(name, path, sources | scaled(own, scale)))
    return found


def scaled(config: Mapping[str, Any], scale: float) -> dict[str, int]:
    """Epochs, and pairs per epoch where not even one whole epoch is left.

    Args:
        config: has ``max_epochs``, ``epoch_pairs``, ``batch_size`` and ``slices_per_head``.
        scale: of the product of the two first.
    """
    epochs = config["max_epochs"] * scale
    pairs = round(config["epoch_pairs"] * min(1.0, epochs))
    slices = max(6, round(config["slices_per_head"] * min(1.0, 10 * scale)))
    return {
        "max_epochs": max(1, round(epochs)),
        "epoch_pairs": max(pairs, FEWEST * config["batch_size"]),
        "slices_per_head": slices,
    }


def sources_of(data: Path | None) -> dict[str, str]:
    """The folders of the data, by the ids of ``configs/train.json``.

    Raises:
        InputError: there is no such folder, or none of the known ones in it.
    """
    if data is None:
        return {}
    if not data.is_dir():
        raise InputError(f"{data}: no such folder; name the one with aanlib, stacks and heads")
    found = {key: str(data / name) for key, name in SOURCES.items() if (data / name).is_dir()}
    if any(data.glob("*-MRI")):
        found["dataset_dir"] = str(data)
    if not set(found) - {"palette_dir"}:
        raise InputError(f"{data}: holds none of {', '.join(SOURCES.values())}; check the path")
    return found


def sha256(path: Path) -> str:
    """Of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_done(folder: Path, fingerprint: str) -> bool:
    """Whether a stage's weights are there and were made of just this.

    Args:
        folder: of the stage.
        fingerprint: of :meth:`Stage.fingerprint`.
    """
    if not (folder / DONE).is_file() or not (folder / "model.pt").is_file():
        return False
    done = json.loads((folder / DONE).read_text(encoding="utf-8"))
    return done == {"fingerprint": fingerprint, "sha256": sha256(folder / "model.pt")}


def mark_done(folder: Path, fingerprint: str) -> None:
    """Say that a stage is done."""
    done = {"fingerprint": fingerprint, "sha256": sha256(folder / "model.pt")}
    write_json(done, folder / DONE)


def command(stage: Stage, folder: Path, before: Path | None, more: Sequence[str]) -> list[str]:
    """Words of the training run of a stage, after the interpreter's name.

    Args:
        stage: the stage.
        folder: for its checkpoints; a run that was stopped goes on.
        before: weights to start from.
        more: overlays between ``train.json`` and the stage's own.
    """
    files = [str(BASE), *more, str(stage.config)]
    settings = {
        "bundle_root": str(ROOT),
        "ckpt_dir": str(folder),
        "resume": "true",
        **({"initial_weights": str(before)} if before else {}),
        **stage.settings,
    }
    words = ["-m", "monai.bundle", "run", "training", "--config_file", str(files)]
    return [*words, *(word for key, value in settings.items() for word in (f"--{key}", str(value)))]


def record_of(weights: Path, recipe: Path, data: Path | None) -> dict[str, Any]:
    """What ``configs/metadata.json`` says of weights that the recipe made.

    Args:
        weights: the file.
        recipe: folder of the stages' configurations.
        data: what was trained on, see :func:`stages`; None: the phantom.
    """
    own = [str(path.relative_to(recipe.parent)) for path in sorted(recipe.glob("*.json"))]
    return {
        "sha256": sha256(weights),
        "configs": [BASE.name, *own],
        "data": {key: folder_digest(Path(path)) for key, path in sources_of(data).items()},
        "date": datetime.date.today().isoformat(),
    }


def folder_digest(folder: Path) -> str:
    """SHA-256 of the names and contents of all files in a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def into_metadata(record: Mapping[str, Any], path: Path = METADATA) -> None:
    """Put the record of weights into ``configs/metadata.json``."""
    metadata = json.loads(path.read_text(encoding="utf-8"))
    write_json({**metadata, "weights": dict(record)}, path)


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write beside ``path``, then rename."""
    staging = path.with_suffix(".tmp")
    staging.write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
    staging.replace(path)
