"""Read the list of pairs that an inference run works on."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundle.domain import MOVING
from bundle.errors import InputError
from bundle.images import kinds
from bundle.options import Options, options_of

KEY = "testing"

FILES = ("initial_transform", "labels", "fixed_mask", "moving_mask")
"""Those that name a file."""

LONGEST = 200
"""Bytes that an id may have; file systems take 255."""

OWN = (
    "modality",
    "frame",
    "apply_to_all_frames",
    "fixed_frame",
    "series",
    "spacing",
    *FILES,
)
"""Options that an entry may have for itself."""

KNOWN = ("id", "fixed", "moving", *OWN)
"""Keys of an entry; others are its user's own, unless they look like one of these."""


def read_datalist(
    path: Path | str | None, output_dir: Path | str, base_dir: Path | str | None = None
) -> list[dict[str, str]]:
    """Read ``pairs.json``.

    ``{"testing": [{"id": "a", "fixed": "x.png", "moving": "y.png", "modality": "CT"}]}``, where
    ``modality`` is optional, and so are ``frame`` (number of a frame of a 4D file, from 0, or
    ``mean``), ``apply_to_all_frames`` (true: all are resampled), ``fixed_frame`` (of the fixed
    file, where both are 4D), ``series`` (UIDs or numbers, where paths hold several series, a list
    or separated by commas), ``spacing`` (mm along x, y and z, where a header lacks it),
    ``initial_transform`` (file of a linear transform), ``labels`` (file of a label map),
    ``fixed_mask`` and ``moving_mask`` (files of what is left out). An entry that cannot be used
    does not spoil the others: it becomes a record with the key ``error``.

    Args:
        path: the JSON file; without one there are no pairs.
        output_dir: results of a pair go to ``output_dir/<id>``.
        base_dir: the folder that relative paths count from; by default the JSON file's own.

    Returns:
        per entry a record with ``id``, ``fixed``, ``moving``, ``output_dir`` and, where given,
        what else it says of itself; or with ``id`` and ``error``.

    Raises:
        InputError: the list as a whole cannot be used.
    """
    if path is None:
        return []
    base = Path(path).parent if base_dir is None else Path(base_dir)
    records: list[dict[str, str]] = []
    seen: dict[str, int] = {}
    for number, entry in enumerate(_entries(Path(path)), start=1):
        try:
            record = _checked(entry)
            first = seen.setdefault(record["id"], number)
            if first != number:
                raise InputError(f"has the id of entry {first}; give each pair an id of its own")
        except InputError as error:
            name = _shown(str(entry.get("id", ""))) if isinstance(entry, Mapping) else ""
            name = f"{name} (entry {number})" if name in seen else name or f"#{number}"
            message = f"{path}: entry {number} of '{KEY}' {error}"
            records.append({"id": name, "error": message})
            continue
        record["fixed"] = str(base / record["fixed"])
        record["moving"] = str(base / record["moving"])
        record |= {key: str(base / record[key]) for key in FILES if key in record}
        record["output_dir"] = str(Path(output_dir) / record["id"])
        records.append(record)
    return records


def pair_record(
    fixed: Path | str,
    moving: Path | str,
    output_dir: Path | str,
    modality: str | None = None,
    **others: Any,
) -> dict[str, str]:
    """Make the record of a single pair, whose results go directly into a folder.

    Args:
        fixed: file of the reference image.
        moving: file of the image to bring onto it.
        output_dir: the folder for the results.
        modality: CT, PET, SPECT or MR.
        **others: ``frame``, ``apply_to_all_frames``, ``fixed_frame``, ``series``, ``spacing``,
            ``initial_transform``, ``labels``, ``fixed_mask`` and ``moving_mask`` as in a list.

    Returns:
        a record as :func:`read_datalist` gives it.

    Raises:
        InputError: the modality is none of the known ones.
    """
    entry = {"id": Path(output_dir).name or "pair", "fixed": str(fixed), "moving": str(moving)}
    return {**entry, **_modality(modality), **_parts(others), "output_dir": str(output_dir)}


def options_for(record: Mapping[str, Any], options: Options) -> Options:
    """The options of one record: what it says itself comes first."""
    own = {key: record[key] for key in OWN if key in record}
    return Options.model_validate({**options.model_dump(), **own}) if own else options


def _shown(name: str) -> str:
    """An id that may be anything, on one line and as UTF-8."""
    return kinds.shown(" ".join(name.split()))[:LONGEST]


def _entries(path: Path) -> list[Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(
            f"{path}: no readable datalist ({error.strerror}); check the path"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: not JSON ({error}); see the documentation of pairs.json"
        ) from error
    if not isinstance(content, dict) or KEY not in content:
        found = f"found {sorted(content)}" if isinstance(content, dict) else "found no object"
        raise InputError(f"{path}: needs the key '{KEY}' with a list of pairs, {found}")
    entries = content[KEY]
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: the list under '{KEY}' is empty; add at least one pair")
    return entries


def _checked(entry: Any) -> dict[str, str]:
    """Take the known keys of an entry, checked."""
    if not isinstance(entry, dict):
        raise InputError('must be an object such as {"id": "a", "fixed": "f", "moving": "m"}')
    missing = [key for key in ("id", "fixed", "moving") if entry.get(key) in (None, "")]
    if missing:
        raise InputError(f"lacks the key {missing[0]!r}, it has {sorted(entry)}; correct the key")
    for key in ("fixed", "moving"):
        if not isinstance(entry[key], str):
            raise InputError(f"has {key!r} = {entry[key]!r}; give the path of one file")
    for key in entry.keys() - KNOWN:
        near = difflib.get_close_matches(key.lower(), KNOWN, n=1, cutoff=0.85)
        if near:
            raise InputError(f"has the unknown key {key!r}; did you mean {near[0]!r}?")
    name = str(entry["id"]) if isinstance(entry["id"], (str, int, float)) else ""
    separators = not name.isprintable() or set(name) & set("/\\:")
    if separators or name.strip(" .") == "" or len(name.encode()) > LONGEST:
        raise InputError(
            f"has the id {entry['id']!r}, which cannot name a folder; give a short text without "
            "path separators"
        )
    record = {"id": name, "fixed": entry["fixed"], "moving": entry["moving"]}
    return {**record, **_modality(entry.get("modality")), **_parts(entry)}


def _parts(entry: Mapping[str, Any]) -> dict[str, str]:
    """Which frame and series are meant."""
    parts = {}
    for key in ("frame", "fixed_frame"):
        if entry.get(key) not in (None, ""):
            if not (str(entry[key]).isdecimal() or entry[key] == "mean"):
                raise InputError(f"has the {key} {entry[key]!r}; give its number, from 0, or mean")
            parts[key] = str(entry[key])
    if entry.get("apply_to_all_frames") not in (None, "", False):
        if str(entry["apply_to_all_frames"]).lower() != "true":
            raise InputError(
                f"has 'apply_to_all_frames' = {entry['apply_to_all_frames']!r}; give true or false"
            )
        parts["apply_to_all_frames"] = "true"
    if entry.get("spacing") not in (None, "", []):
        try:
            options_of(spacing=entry["spacing"])
        except InputError as error:
            raise InputError(f"has the {error}") from error
        value = entry["spacing"]
        parts["spacing"] = value if isinstance(value, str) else " ".join(map(str, value))
    for key in FILES:
        if entry.get(key) not in (None, ""):
            if not isinstance(entry[key], (str, Path)):
                raise InputError(f"has {key!r} = {entry[key]!r}; give the path of a file")
            parts[key] = str(entry[key])
    if entry.get("series") not in (None, "", []):
        parts["series"] = _series(entry["series"])
    return parts


def _series(value: Any) -> str:
    """UIDs of series, separated by commas."""
    listed = value if isinstance(value, list) else [value]
    if not all(type(uid) in (str, int) for uid in listed):  # 1.2 without quotes is no UID
        raise InputError(f"has the series {value!r}; give UIDs in quotes, one or a list of them")
    return ",".join(map(str, listed))


def _modality(value: Any) -> dict[str, str]:
    if value in (None, ""):
        return {}
    if str(value).upper() not in MOVING:
        raise InputError(f"has the modality {value!r}; use one of {', '.join(MOVING)}, or none")
    return {"modality": str(value).upper()}
