"""The recipe of the weights: its stages, what each is made of, and when one is done."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.errors import InputError
from bundle.paths import ROOT

try:
    import fcntl
except ImportError:  # Windows: nothing keeps a second run away
    fcntl = None  # type: ignore[assignment]

RECIPE = ROOT / "configs" / "recipe"
BASE = ROOT / "configs" / "train.json"
METADATA = ROOT / "configs" / "metadata.json"
BEGUN, DONE = "begun", "done.json"
WORTH_CACHING = 20_000
"""Training pairs of a stage from which on the pictures stay in memory."""

FEWEST = 2
"""Batches that an epoch has at least, however small the scale."""

PATIENCE = 10.0
"""Seconds in which a run that was killed lets go of its folder."""

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
        settings = {key: value for key, value in self.settings.items() if key not in SOURCES}
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
        below |= _read(path)
    found: dict[str, Stage] = {}
    for path in sorted(recipe.glob("*.json")):
        own = below | _read(path)
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


def _read(path: Path) -> dict[str, Any]:
    """A configuration.

    Raises:
        InputError: it is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # also of bytes that are no text
        raise InputError(f"{path}: not JSON ({error}); correct it") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no ids and values; correct it")
    return content


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


def sha256(path: Path) -> str:
    """Of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def held(folder: Path) -> Iterator[tuple[int, ...]]:
    """Keep a second run out of a folder while this process lives, or one that got the descriptor.

    Args:
        folder: is there.

    Yields:
        descriptors for the processes of the stages: one may survive the run that started it.

    Raises:
        InputError: another run is at work.
    """
    place = os.open(folder, os.O_RDONLY) if fcntl else None
    try:
        if place is None:
            yield ()
            return
        _wait_for(place, folder)
        yield (place,)
    finally:
        if place is not None:
            os.close(place)


def _wait_for(place: int, folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise InputError(
                    f"{folder}: another run is at work here; wait for it, or name another "
                    "--output_dir"
                ) from None
            time.sleep(0.1)
        except OSError:  # a file system without locks
            return None


def is_done(folder: Path, fingerprint: str) -> bool:
    """Whether a stage's weights are there and were made of just this.

    Args:
        folder: of the stage.
        fingerprint: of :meth:`Stage.fingerprint`, without overlays: they suit the machine.
    """
    if not (folder / "model.pt").is_file():
        return False
    made = {"fingerprint": fingerprint, "sha256": sha256(folder / "model.pt")}
    return made.items() <= note_of(folder).items()


def note_of(folder: Path) -> dict[str, Any]:
    """What :func:`mark_done` has noted; nothing if the stage is not done."""
    try:
        return _read(folder / DONE)
    except (FileNotFoundError, InputError):
        return {}


def begin(folder: Path, fingerprint: str) -> bool:
    """Begin a stage, or go on where it was stopped if it was begun with just this.

    Files of any other run in the folder are kept as ``*.earlier.pt``. So are those of a stage that
    was done and whose weights are no longer what they were.

    Args:
        folder: of the stage.
        fingerprint: of :meth:`Stage.fingerprint`, with overlays.

    Returns:
        whether there is a checkpoint to go on from.
    """
    from bundle.training.checkpoint import LAST, make_folder

    note = folder / BEGUN
    begun = note.read_text(encoding="utf-8") if note.is_file() else None
    if begun != fingerprint or (folder / DONE).exists():
        make_folder(str(folder), resume=False)
        (folder / DONE).unlink(missing_ok=True)
        write_text(fingerprint, note)
    return (folder / LAST).is_file()


def mark_done(folder: Path, fingerprint: str, overlays: Sequence[Path] = ()) -> None:
    """Say that a stage is done.

    Raises:
        InputError: it has no weights.
    """
    if not (folder / "model.pt").is_file():
        raise InputError(
            f"{folder}: training is done, but model.pt is gone; remove the folder, then the same "
            "command makes it anew"
        )
    write_json(
        {
            "fingerprint": fingerprint,
            "sha256": sha256(folder / "model.pt"),
            "overlays": [path.name for path in overlays],
        },
        folder / DONE,
    )


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


def digests(data: Path | None) -> dict[str, str]:
    """:func:`folder_digest` of each folder of :func:`sources_of`; nothing for the phantom."""
    return {key: folder_digest(Path(path)) for key, path in sources_of(data).items()}


def record_of(
    weights: Path, recipe: Path, data: Mapping[str, str], overlays: Sequence[str] = ()
) -> dict[str, Any]:
    """What ``configs/metadata.json`` says of weights that the recipe made.

    Args:
        weights: the file.
        recipe: folder of the stages' configurations.
        data: what was trained on, see :func:`digests`.
        overlays: names of the configurations between ``train.json`` and those.
    """
    own = [path.relative_to(recipe.parent).as_posix() for path in sorted(recipe.glob("*.json"))]
    return {
        "sha256": sha256(weights),
        "configs": [BASE.name, *overlays, *own],
        "data": dict(data),
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
    metadata = _read(path)
    if metadata.get("weights") != record:
        write_json({**metadata, "weights": dict(record)}, path)


def put_record(record: dict[str, Any], path: Path) -> dict[str, Any]:
    """Write a record, unless it is there but for the date.

    Args:
        record: of :func:`record_of`.
        path: the file.

    Returns:
        what is there now.
    """
    there = _read(path) if path.is_file() else {}
    if {**there, "date": None} == {**record, "date": None}:
        return there
    write_json(record, path)
    return record


def put_file(source: Path, path: Path) -> None:
    """Put a copy of a file in a place, whole or not at all, unless it is there."""
    if path.is_file() and sha256(path) == sha256(source):
        return
    staging = path.with_suffix(".tmp")
    staging.write_bytes(source.read_bytes())
    staging.replace(path)


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write beside ``path``, then rename."""
    write_text(json.dumps(content, indent=4) + "\n", path)


def write_text(content: str, path: Path) -> None:
    """Write beside ``path``, then rename."""
    staging = path.with_suffix(".tmp")
    staging.write_text(content, encoding="utf-8")
    staging.replace(path)
