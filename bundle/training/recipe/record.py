"""What the weights were made of, for ``configs/metadata.json``."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable, Mapping, Sequence
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
    weights: Path, configs: Sequence[Path], data: Mapping[str, str], overlays: Sequence[str] = ()
) -> dict[str, Any]:
    """What ``configs/metadata.json`` says of weights that the recipe made.

    Args:
        weights: the file.
        configs: of its stages.
        data: what was trained on, see :func:`digests`.
        overlays: names of the configurations between ``train.json`` and those.
    """
    own = [_name(path) for path in configs]
    return {
        "sha256": sha256(weights),
        "configs": [BASE.name, *overlays, *own],
        "data": dict(data),
        "date": datetime.date.today().isoformat(),
    }


def _name(config: Path) -> str:
    """With its folder, if that is not the one of ``train.json``."""
    folder = config.resolve().parent
    return config.name if folder == BASE.parent else f"{folder.name}/{config.name}"


def folder_digest(folder: Path) -> str:
    """SHA-256 of the names and contents of all files in a folder."""
    return files_digest(sorted(path for path in folder.rglob("*") if path.is_file()), folder)


def files_digest(paths: Iterable[Path], folder: Path) -> str:
    """SHA-256 of the names in a folder and the contents of these files, in their order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def into_metadata(record: Mapping[str, Any], path: Path = METADATA, key: str = "weights") -> None:
    """Put the record of weights into ``configs/metadata.json``.

    Args:
        record: of :func:`record_of`.
        path: the file.
        key: ``weights`` of BiMSRec, ``combiner`` of the network that combines two fields.
    """
    metadata = read_json(path)
    if metadata.get(key) != record:
        write_json({**metadata, key: dict(record)}, path)


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
