"""Lists of aligned picture pairs in AANLIB's folder layout."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundle.domain import LEVELS, MODALITIES
from bundle.errors import InputError
from bundle.images.kinds import visible
from bundle.paths import OUT
from bundle.phantom.pairs import write_pairs
from bundle.training.heads.pairs import list_head_slices
from bundle.training.new_folder import new_folder
from bundle.training.stacks.listing import list_stack_slices
from bundle.training.verify import require_usable

logger = logging.getLogger(__name__)

PHANTOM = OUT / "phantom"


def list_pairs(root: str | Path, split: str, stride: int = 1) -> list[dict[str, str]]:
    """List ``ROOT/<M>-MRI/<split>/MRI/NAME.png`` with its partner ``.../<M>/NAME.png``.

    Args:
        root: folder with at least one of ``CT-MRI``, ``PET-MRI`` and ``SPECT-MRI``.
        split: ``train`` or ``val``.
        stride: keep every ``stride``-th pair of each modality.

    Returns:
        per pair ``fixed``, ``moving`` (paths), ``modality``, ``name`` and ``case`` (the name
        without its three slice digits), sorted by modality and name.

    Raises:
        InputError: no such folder, no pairs, or a picture without its partner.
    """
    root = Path(root)
    pairs: list[dict[str, str]] = []
    for modality in MODALITIES:
        folder = root / f"{modality}-MRI" / split
        if not folder.is_dir():
            continue
        names = common_names(folder / "MRI", folder / modality)
        pairs += [
            {
                "fixed": str(folder / "MRI" / name),
                "moving": str(folder / modality / name),
                "modality": modality,
                "name": Path(name).stem,
                "case": Path(name).stem[:-3] or "0",
            }
            for name in names[::stride]
        ]
    if not pairs:
        raise InputError(
            f"{root}: no pairs found; expected CT-MRI/{split}/MRI/NAME.png with "
            f"CT-MRI/{split}/CT/NAME.png beside it (likewise PET-MRI, SPECT-MRI)"
        )
    return pairs


def common_names(fixed: Path, moving: Path) -> list[str]:
    """Sorted names of the pictures in both folders.

    Args:
        fixed: the first folder.
        moving: the second.

    Raises:
        InputError: a picture has no partner of its name.
    """
    first = {path.name for path in visible(fixed, "*.png")}
    second = {path.name for path in visible(moving, "*.png")}
    for name in sorted(first ^ second):
        have, lack = (fixed, moving) if name in first else (moving, fixed)
        raise InputError(f"{have / name} has no partner {lack / name}; add it or remove the one")
    return sorted(first)


def training_pairs(
    root: str | Path | None,
    split: str,
    extra: str | Path | None = None,
    repeats: Mapping[str, int] | None = None,
    stacks: str | Path | None = None,
    heads: str | Path | None = None,
    per_head: int = 24,
) -> list[dict[str, Any]]:
    """Pairs of folders, or of the project's phantom where none is given.

    Args:
        root: folder in AANLIB's layout; None = the phantom, made once into ``out/phantom``.
        split: ``train`` or ``val``.
        extra: another such folder whose pairs are added.
        stacks: folder of whole stacks, see :mod:`bundle.training.stacks`.
        heads: folder of tissue maps, see :mod:`bundle.training.heads`.
        per_head: slices of each tissue map.
        repeats: modality to how often each of its pairs is listed; 1 where none is named.

    Returns:
        as :func:`list_pairs`.

    Raises:
        InputError: see :func:`list_pairs`, a picture of either folder cannot be used, or
            ``repeats`` names another modality, is no count, or leaves no pair.
    """
    for folder in (root, extra):
        if folder:
            require_usable(folder, split)
    pairs: list[dict[str, Any]] = []
    if root or not (extra or stacks or heads):
        pairs += list_pairs(root or phantom_folder(), split)
    pairs += list_pairs(extra, split) if extra else []
    pairs += list_stack_slices(stacks, split) if stacks else []
    pairs += list_head_slices(heads, split, per_head) if heads else []
    _check_repeats(repeats or {})
    repeated = [pair for pair in pairs for _ in range((repeats or {}).get(pair["modality"], 1))]
    if not repeated:
        raise InputError(f"repeats {repeats}: leaves no pair; give 1 or more to a modality")
    return repeated


def _check_repeats(repeats: Mapping[str, int]) -> None:
    if not isinstance(repeats, Mapping):
        raise InputError(f"--repeats {repeats}: name a modality, such as --repeats#CT {repeats}")
    for modality, times in repeats.items():
        if modality not in MODALITIES:
            raise InputError(f"repeats: {modality!r} is none of {', '.join(MODALITIES)}")
        if not isinstance(times, int) or times < 0:
            raise InputError(f"repeats#{modality} {times}: give a whole number, 0 or more")


def phantom_folder(folder: str | Path = PHANTOM, pairs_per_modality: int = 50) -> Path:
    """Write the phantom's picture pairs, unless they are there, and return their folder.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = Path(folder)
    if not folder.is_dir():
        logger.info("making the phantom's picture pairs in %s (about two minutes)", folder)
        try:
            with new_folder(folder) as staging:
                write_pairs(staging, pairs_per_modality, split="train")
                write_pairs(staging, max(1, pairs_per_modality // 8), split="val")
        except InputError:
            if not folder.is_dir():  # else another process was faster
                raise
    return folder


def with_levels(pairs: list[dict[str, str]], stride: int = 1) -> list[dict[str, str]]:
    """Every ``stride``-th pair at every level of misalignment, level by level."""
    return [{**pair, "level": level} for level in LEVELS for pair in pairs[::stride]]


def validation_pairs(root: str | Path | None, stride: int = 1) -> list[dict[str, str]]:
    """The validation pairs of :func:`training_pairs` at every level."""
    return with_levels(training_pairs(root, "val"), stride)
