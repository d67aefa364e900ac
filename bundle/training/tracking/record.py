"""Plain facts about a run: its settings, its data and the form of its network."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models.signature import ModelSignature
from mlflow.types.schema import Schema, TensorSpec

NO_SETTINGS = ("imports", "_meta_", "initialize", "run", "training", "finalize")
LONGEST = 500


def hyper_parameters(config: Mapping[str, Any]) -> dict[str, str]:
    """Every setting of an executed configuration by itself.

    Args:
        config: as MONAI writes it, nested.

    Returns:
        id with dots (``train.trainer.max_epochs``) to value as text; an expression stays one.
    """
    settings = {key: value for key, value in config.items() if key not in NO_SETTINGS}
    return {name.strip("."): str(value)[:LONGEST] for name, value in _leaves(settings, "")}


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{str(key).replace('#', '.')}")
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{name}.{index}")
    else:
        yield name, value


def executed_config(folder: str | Path) -> Path | None:
    """The newest configuration that MONAI's tracking wrote into a folder, None without one."""
    found = sorted(Path(folder).glob("config_*.json"))
    return found[-1] if found else None


def read_settings(path: Path | None) -> dict[str, str]:
    """:func:`hyper_parameters` of a file, nothing of None."""
    return hyper_parameters(json.loads(path.read_text(encoding="utf-8"))) if path else {}


def fingerprint(pairs: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Say which data a list of pairs holds, wherever it lies.

    Args:
        pairs: as :func:`bundle.training.pairs.list_pairs`; a pair listed at several levels is one.

    Returns:
        ``pairs.<modality>``: how many; ``sha256``: of modalities, names and pictures.
    """
    unique = {(pair["modality"], pair["name"], pair["fixed"]): pair for pair in pairs}
    digest = hashlib.sha256()
    for modality, name, _ in sorted(unique):
        digest.update(f"{modality}/{name}\n".encode())
    for key in sorted(unique):
        pair = unique[key]
        for picture in ("fixed", "moving"):
            # many slices of a volume share its file
            whole = pair.get("kind") is None
            digest.update(Path(pair[picture]).read_bytes() if whole else _digest(pair[picture]))
    counts = Counter(modality for modality, _, _ in unique)
    return {f"pairs.{name}": str(n) for name, n in counts.items()} | {"sha256": digest.hexdigest()}


@lru_cache(maxsize=4096)
def _digest(path: str) -> bytes:
    return hashlib.sha256(Path(path).read_bytes()).digest()


def signature() -> ModelSignature:
    """Input and output of the network, any batch and size."""
    image = TensorSpec(np.dtype(np.float32), (-1, 2, -1, -1), "image")
    pred = TensorSpec(np.dtype(np.float32), (-1, 3, -1, -1), "pred")
    return ModelSignature(inputs=Schema([image]), outputs=Schema([pred]))
