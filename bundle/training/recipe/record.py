"""What the weights were made of, for ``configs/metadata.json``."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bundle.paths import ROOT
from bundle.training.recipe.files import read_json, sha256, write_json
from bundle.training.recipe.stages import BASE, sources_of

METADATA = ROOT / "configs" / "metadata.json"


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
    metadata = read_json(path)
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
    there = read_json(path) if path.is_file() else {}
    if {**there, "date": None} == {**record, "date": None}:
        return there
    write_json(record, path)
    return record
