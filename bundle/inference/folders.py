"""Find the pairs in a folder by the names of its files."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from bundle.errors import InputError
from bundle.inference.datalist import pair_record
from bundle.inference.volumes import SUFFIXES
from bundle.pictures import read

Pair = tuple[Path, Path, str, str | None]
"""Fixed file, moving file, name and modality."""
BIDS_FIXED = ("_T1w", "_T2w")
BIDS_MOVING = {"_ct": "CT", "_pet": "PET", "_spect": "SPECT"}
DERIVED = re.compile(r"_(space|desc)-")
"""In names of BIDS: resampled or computed, no longer what the scanner gave."""


def find_pairs(input_dir: Path | str, output_dir: Path | str) -> list[dict[str, str]]:
    """Pair files (or DICOM folders) ``NAME_fixed`` and ``NAME_moving``, and those of BIDS.

    In BIDS-like names ``sub-01_T1w`` (or ``_T2w``) is the fixed one of ``sub-01_ct``,
    ``sub-01_pet`` and ``sub-01_spect`` anywhere in the same ``sub-01`` (and ``ses-``) folder;
    MRIs with ``_space-`` or ``_desc-`` in their names are left out.

    Args:
        input_dir: searched with all its folders.
        output_dir: results of a pair go to ``output_dir/<id>``; the id is made of the names of
            folders and file.

    Returns:
        records as of :func:`bundle.inference.datalist.read_datalist`, sorted by id.

    Raises:
        InputError: there is no such folder, no pair in it, or several that cannot be told apart.
    """
    root = Path(input_dir)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; check the path")
    named = {path: _stem(path) for path in sorted(root.rglob("*"))}
    found = [*_fixed_and_moving(named), *_bids(named)]
    if not found:
        raise InputError(
            f"{root}: holds no pair; name them NAME_fixed and NAME_moving (.nii.gz, .png, or "
            "folders of DICOM slices)"
        )
    records = [
        pair_record(fixed, moving, Path(output_dir) / identity, modality)
        for identity, (fixed, moving, _, modality) in zip(_ids(found, root), found, strict=True)
    ]
    return sorted(records, key=lambda record: record["id"])


def _ids(found: list[Pair], root: Path) -> list[str]:
    """An id for each pair: its name, after those of its folders unless the name repeats one.

    Where two pairs would share an id, the folders' names stand in any case.
    """
    folders = [moving.parent.relative_to(root).parts for _, moving, _, _ in found]
    names = [name for _, _, name, _ in found]
    whole = ["_".join([*parts, name]) for parts, name in zip(folders, names, strict=True)]
    short = [
        name if name.split("_")[0] in parts else full
        for parts, name, full in zip(folders, names, whole, strict=True)
    ]
    times = Counter(short)
    ids = [w if times[s] > 1 else s for w, s in zip(whole, short, strict=True)]
    first: dict[str, Pair] = {}
    for identity, pair in zip(ids, found, strict=True):
        twin = first.setdefault(identity, pair)
        if twin is not pair:
            files = sorted({*twin[:2], *pair[:2]})
            raise InputError(
                f"{', '.join(map(str, files))}: are two pairs called {identity!r}; rename one"
            )
    return ids


def _stem(path: Path) -> str:
    """The name without the suffix of a picture or volume; '' for other files."""
    if path.is_dir():
        return path.name
    for suffix in (*SUFFIXES, *read.SUFFIXES):
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)].removesuffix(".nii")
    return ""


def _fixed_and_moving(named: dict[Path, str]) -> Iterator[Pair]:
    moving = {
        (p.parent, n[: -len("_moving")]): p for p, n in named.items() if n.endswith("_moving")
    }
    for path, name in named.items():
        key = (path.parent, name.removesuffix("_fixed"))
        if name.endswith("_fixed") and key in moving:
            yield path, moving[key], key[1], None


def _bids(named: dict[Path, str]) -> Iterator[Pair]:
    named = {path: name for path, name in named.items() if name.startswith("sub-")}
    fixed: dict[str, list[Path]] = {}
    for ending in reversed(BIDS_FIXED):
        found: dict[str, list[Path]] = defaultdict(list)
        for path, name in named.items():
            if name.endswith(ending) and not DERIVED.search(name):
                found[_session(name)].append(path)
        fixed |= found
    for path, name in named.items():
        for ending, modality in BIDS_MOVING.items():
            choice = fixed.get(_session(name), []) if name.endswith(ending) else []
            if len(choice) > 1:
                raise InputError(
                    f"{', '.join(map(str, choice))}: are several MRIs for {path}; leave one, or "
                    "name the pairs in a --datalist"
                )
            if choice:
                yield choice[0], path, name, modality


def _session(name: str) -> str:
    """Subject and session of a BIDS name."""
    return "_".join(part for part in name.split("_") if part.startswith(("sub-", "ses-")))
