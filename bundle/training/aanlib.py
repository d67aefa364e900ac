"""From a local copy of the public AANLIB pairs to folders for training and validation."""

from __future__ import annotations

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bundle.domain import MODALITIES
from bundle.errors import InputError
from bundle.images.pictures import read_picture
from bundle.training.pairs import common_names
from bundle.training.split import Pair, split_by_block, split_by_case

ONE_SUBJECT = ("PET",)
"""AANLIB's PET pairs are three views of one subject, whatever their names say."""

VIEWS = {"25", "30", "41"}
"""What stands for the case in those names: coronal, sagittal, axial."""


def public_pairs(root: str | Path) -> list[dict[str, str]]:
    """List ``ROOT/<M>-MRI/MRI/NAME.png`` with its partner ``ROOT/<M>-MRI/<M>/NAME.png``.

    Args:
        root: the public repository's folder; NAME is case number x 1000 + slice number.

    Returns:
        as :func:`bundle.training.pairs.list_pairs`.

    Raises:
        InputError: nothing found, a lone or unreadable picture, unequal sizes, or another name.
    """
    pairs = []
    for modality in MODALITIES:
        folder = Path(root) / f"{modality}-MRI"
        for name in common_names(folder / "MRI", folder / modality):
            stem = Path(name).stem
            if not (stem.isdecimal() and len(stem) > 3):
                raise InputError(
                    f"{folder / 'MRI' / name}: cannot tell the patient; name it case number x "
                    "1000 + slice number, such as 28011.png"
                )
            fixed, moving = folder / "MRI" / name, folder / modality / name
            if read_picture(fixed).shape[1:] != read_picture(moving).shape[1:]:
                raise InputError(f"{moving}: differs in size from {fixed}; resample it")
            pairs.append(
                {"fixed": str(fixed), "moving": str(moving), "modality": modality,
                 "name": stem, "case": stem[:-3]}
            )  # fmt: skip
    if not pairs:
        raise InputError(
            f"{root}: no pairs found; expected CT-MRI/MRI/NAME.png with CT-MRI/CT/NAME.png "
            "beside it (likewise PET-MRI, SPECT-MRI)"
        )
    return pairs


def one_subject_of(pairs: Sequence[Pair]) -> list[str]:
    """Modalities that are one subject: PET, if its names are those of AANLIB's three views."""
    cases = {pair["case"] for pair in pairs if pair["modality"] in ONE_SUBJECT}
    return list(ONE_SUBJECT) if cases and cases <= VIEWS else []


def split_public(
    pairs: Sequence[Pair], share: float, seed: int, one_subject: Sequence[str] = ONE_SUBJECT
) -> dict[str, list[Pair]]:
    """Split without a patient, a picture or a neighbouring slice on both sides.

    Args:
        pairs: of :func:`public_pairs`.
        share: of the pairs for validation.
        seed: of the choice of cases.
        one_subject: modalities whose pairs are one subject; a block of each view validates.

    Returns:
        ``train`` and ``val``.
    """
    by_case = [pair for pair in pairs if pair["modality"] not in one_subject]
    chosen = split_by_case(by_case, share, seed)
    train = [pair for pair in by_case if pair["case"] not in chosen]
    val = [pair for pair in by_case if pair["case"] in chosen]
    views: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in pairs:
        if pair["modality"] in one_subject:
            views[pair["modality"], pair["case"]].append(pair)
    for view in views.values():
        kept, block = split_by_block(view, share)
        train, val = train + kept, val + block
    seen = {_digest(pair) for pair in val}
    return {"train": [pair for pair in train if _digest(pair) not in seen], "val": val}


def _digest(pair: Pair) -> str:
    """Of the MRI: some pictures of the atlas appear under several numbers."""
    return hashlib.sha256(Path(pair["fixed"]).read_bytes()).hexdigest()


def copy_split(split: dict[str, list[Pair]], folder: Path) -> None:
    """Copy the files as :func:`bundle.training.pairs.list_pairs` expects them.

    Args:
        split: ``train`` and ``val``.
        folder: an existing folder.
    """
    for name, pairs in split.items():
        for pair in pairs:
            for kind, source in (("MRI", pair["fixed"]), (pair["modality"], pair["moving"])):
                target = folder / f"{pair['modality']}-MRI" / name / kind / f"{pair['name']}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
