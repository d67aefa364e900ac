"""The stages of the recipe: what each is made of, and its command."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.errors import InputError
from bundle.paths import ROOT
from bundle.training.recipe.files import read_json

RECIPE = ROOT / "configs" / "recipe"
BASE = ROOT / "configs" / "train.json"
WORTH_CACHING = 20_000
"""Training pairs of a stage from which on the pictures stay in memory."""

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

    def fingerprint(
        self, before: str | None, data: Mapping[str, str], overlays: Sequence[Path] = ()
    ) -> str:
        """What the stage is made of: configurations, settings, data and the weights before it.

        Args:
            before: SHA-256 of those weights.
            data: see :func:`digests`; where the folders are does not count.
            overlays: between ``train.json`` and the stage's own configuration.
        """
        digest = hashlib.sha256()
        for path in (BASE, *overlays, self.config):
            digest.update(path.read_bytes())
        folders = (*SOURCES, "samples_dir")
        settings = {key: value for key, value in self.settings.items() if key not in folders}
        digest.update(json.dumps([settings, before, data], sort_keys=True).encode())
        return digest.hexdigest()


def stages(
    data: Path | None, scale: float = 1.0, recipe: Path = RECIPE, overlays: Sequence[Path] = ()
) -> list[Stage]:
    """The stages in order.

    Args:
        data: folder with ``aanlib``, ``stacks``, ``heads`` and ``palettes``, of which any may be
            missing, or one in AANLIB's layout; None: the phantom.
        scale: of the number of training pairs.
        recipe: folder of the configurations, run in the order of their names.
        overlays: between ``train.json`` and those.

    Raises:
        InputError: see :func:`sources_of`; or the scale is not above 0, or a stage cannot be read,
            lacks its length or has another's name, or there is none.
    """
    if not (scale > 0 and math.isfinite(scale)):
        raise InputError(f"--scale {scale}: give a number above 0")
    sources = sources_of(data)
    below: dict[str, Any] = {}
    for path in (BASE, *overlays):
        below |= read_json(path)
    found: dict[str, Stage] = {}
    for path in sorted(recipe.glob("*.json")):
        own = below | read_json(path)
        for key in ("max_epochs", "epoch_pairs"):
            if not isinstance(own[key], int) or own[key] < 1:
                raise InputError(f"{path}: {key} {own[key]}: give a whole number, 1 or more")
        name = path.stem.partition("_")[2] or path.stem
        if name in found:
            raise InputError(f"{path}: {found[name].config.name} has the name {name} already")
        found[name] = Stage(name, path.resolve(), sources | scaled(own, scale))
    if not found:
        raise InputError(f"{recipe}: holds no stage; name a folder of configurations")
    return list(found.values())


def scaled(config: Mapping[str, Any], scale: float) -> dict[str, float]:
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
        # pairs that are seen about once are not worth keeping
        "cache_rate": 1.0 if epochs * config["epoch_pairs"] > WORTH_CACHING else 0.0,
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
    there = data.resolve()  # stages run in the bundle's folder
    found = {key: str(there / name) for key, name in SOURCES.items() if (there / name).is_dir()}
    if any(there.glob("*-MRI")):
        found["dataset_dir"] = str(there)
    if not set(found) - {"palette_dir"}:
        raise InputError(f"{data}: holds none of {', '.join(SOURCES.values())}; check the path")
    return found


def command(
    stage: Stage,
    folder: Path,
    before: Path | None,
    overlays: Sequence[Path] = (),
    resume: bool = False,
) -> list[str]:
    """Words of the training run of a stage, after the interpreter's name.

    Args:
        stage: the stage.
        folder: for its checkpoints.
        before: weights to start from.
        overlays: between ``train.json`` and the stage's own configuration.
        resume: go on from its last checkpoint.
    """
    files = [str(path) for path in (BASE, *overlays, stage.config)]
    settings = {
        "bundle_root": str(ROOT),
        "ckpt_dir": str(folder),
        "resume": str(resume).lower(),
        **({"initial_weights": str(before)} if before else {}),
        **stage.settings,
    }
    words = ["-m", "monai.bundle", "run", "training", "--config_file", str(files)]
    return [*words, *(word for key, value in settings.items() for word in (f"--{key}", str(value)))]
