"""Find the pairs in a folder by the names of its files."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from bundle.domain import Modality
from bundle.errors import InputError
from bundle.images import kinds
from bundle.workflow.datalist import pair_record

Pair = tuple[Sequence[Path], Path, str, str | None]
"""Fixed files, of which there should be one, moving file, name and modality."""
BIDS_FIXED = ("_T1w", "_T2w")
DERIVED = re.compile(r"_(space|desc)-")
"""In names of BIDS: resampled or computed, no longer what the scanner gave."""


def find_pairs(
    input_dir: Path | str, output_dir: Path | str, modality: str | None = None
) -> list[dict[str, str]]:
    """Pair files (or DICOM folders) ``NAME_fixed`` and ``NAME_moving``, and those of BIDS.

    In BIDS-like names ``sub-01_T1w`` (or ``_T2w``) is the fixed one of ``sub-01_ct``,
    ``sub-01_pet`` and ``sub-01_spect`` anywhere in the same ``sub-01`` (and ``ses-``) folder, or
    of the whole subject where a session has none; MRIs with ``_space-`` or ``_desc-`` in their
    names are left out, and so is all that is hidden.

    Args:
        input_dir: searched with all its folders, also linked ones.
        output_dir: results of a pair go to ``output_dir/<id>``; the id is made of the names of
            folders and file.
        modality: of the pairs whose names do not say it.

    Returns:
        records as of :func:`bundle.workflow.datalist.read_datalist`, sorted by id: with
        ``error`` where a moving image has no fixed one, or several.

    Raises:
        InputError: there is no such folder, no pair in it, or several of one name.
    """
    root = Path(input_dir)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; check the path")
    named = {path: _name(path) for path in sorted(_visible(root))}
    found = [*_fixed_and_moving(named), *_bids(named)]
    if not any(fixed for fixed, *_ in found):
        raise InputError(
            f"{root}: holds no pair; name them NAME_fixed and NAME_moving (.nii.gz, .png, or "
            "folders of DICOM slices)"
        )
    records = []
    for identity, (fixed, moving, _, named_modality) in zip(_ids(found, root), found, strict=True):
        odd = [path for path in (*fixed, moving) if kinds.shown(path) != str(path)]
        if odd:
            text = f"{kinds.shown(odd[0])}: its name is not UTF-8; rename it"
            record = {"id": kinds.shown(identity), "error": text}
        elif len(fixed) == 1:
            folder = Path(output_dir) / identity
            record = pair_record(fixed[0], moving, folder, named_modality or modality)
        else:
            record = {"id": identity, "error": _no_single(fixed, moving)}
        records.append(record)
    return sorted(records, key=lambda record: record["id"])


def _visible(root: Path) -> Iterator[Path]:
    """All files and folders in a folder, through links, but nothing hidden and nothing twice.

    Folders come before links to them, so that names do not depend on the links.
    """
    waiting: list[Path] = [root]
    linked: list[Path] = []
    seen: set[str] = set()
    while waiting or linked:
        folder = (waiting or linked).pop(0)
        if (real := os.path.realpath(folder)) in seen or not os.access(folder, os.R_OK | os.X_OK):
            continue
        seen.add(real)
        for path in sorted(folder.iterdir()):
            if not path.name.startswith("."):
                yield path
                if path.is_dir():
                    (linked if path.is_symlink() else waiting).append(path)


def _no_single(fixed: Sequence[Path], moving: Path) -> str:
    if not fixed:
        return f"{moving}: has no fixed image of its name beside it; add it"
    return (
        f"{', '.join(map(str, fixed))}: are several MRIs for {moving}; leave one, or name the "
        "pairs in a --datalist"
    )


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
            files = sorted({*twin[0], twin[1], *pair[0], pair[1]})
            raise InputError(
                f"{', '.join(map(str, files))}: are two pairs called {identity!r}; rename one"
            )
    return ids


def _name(path: Path) -> str:
    """The name without the suffix of a picture or volume; '' for other files."""
    return path.name if path.is_dir() else kinds.stem(path).removesuffix(".nii")


def _fixed_and_moving(named: dict[Path, str]) -> Iterator[Pair]:
    fixed: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path, name in named.items():
        if name.endswith("_fixed"):
            fixed[path.parent, name.removesuffix("_fixed")].append(path)
    for path, name in named.items():
        if name.endswith("_moving"):
            of_pair = name.removesuffix("_moving")
            yield fixed[path.parent, of_pair], path, of_pair, None


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
        for modality in Modality:
            if modality.bids and name.endswith(modality.bids):
                subject = name.split("_")[0]
                choice = fixed.get(_session(name)) or fixed.get(subject) or []
                yield choice, path, name, modality.value


def _session(name: str) -> str:
    """Subject and session of a BIDS name."""
    return "_".join(part for part in name.split("_") if part.startswith(("sub-", "ses-")))
