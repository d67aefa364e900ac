"""Files that are there whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundle.errors import InputError


def read_json(path: Path) -> dict[str, Any]:
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


def sha256(path: Path) -> str:
    """Of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
