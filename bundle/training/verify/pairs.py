"""Check a folder of picture pairs before anything works on it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from bundle.domain import MODALITIES, SHORTEST
from bundle.errors import InputError
from bundle.images.kinds import PICTURES, visible
from bundle.images.pictures import read_picture
from bundle.training.verify.findings import SPLITS, Finding, digest, digests

NUMBER = re.compile(r"\d{4,}\.png")
"""Case number x 1000 + slice number."""


FOLDERS = tuple(f"{modality}-MRI" for modality in MODALITIES)


def present(root: Path) -> bool:
    """Whether a folder holds pairs."""
    return any((root / name).is_dir() for name in FOLDERS)


def verify(root: Path, splits: Sequence[str]) -> list[Finding]:
    """Check layout, names, partners, readability, sizes and overlap of the splits.

    Args:
        root: see :func:`bundle.training.pairs.list_pairs`.
        splits: those that are needed; others are checked where they are there.
    """
    findings = list(_layout(root, splits))
    for modality in MODALITIES:
        for split in SPLITS:
            folder = root / f"{modality}-MRI" / split
            if folder.is_dir():
                findings += _split(folder, modality)
        findings += _shared(root, modality)
    return findings


def summary(root: Path) -> list[str]:
    """Number of MRI pictures per modality in train and val."""
    lines = []
    for modality in MODALITIES:
        train, val = (
            len(list(visible(root / f"{modality}-MRI" / split / "MRI", "*.png")))
            for split in SPLITS
        )
        lines.append(f"{modality}: {train} train, {val} val")
    return lines


def _layout(root: Path, splits: Sequence[str]) -> Iterator[Finding]:
    there = [root / name for name in FOLDERS if (root / name).is_dir()]
    for split in splits:
        if not any((folder / split).is_dir() for folder in there):
            yield Finding(f"{there[0] / split}: missing, as in every modality; add pairs there")
    for folder in there:
        for split in SPLITS:
            if not (folder / split).is_dir():
                yield Finding(f"{folder / split}: missing; nothing to use there", error=False)


def _split(folder: Path, modality: str) -> list[Finding]:
    """Findings of one folder with ``MRI`` and the modality's own folder."""
    names = {kind: {p.name for p in visible(folder / kind, "*.png")} for kind in ("MRI", modality)}
    findings = []
    for kind, other in (("MRI", modality), (modality, "MRI")):
        for name in sorted(names[kind] - names[other]):
            lack = folder / other / name
            findings.append(
                Finding(f"{folder / kind / name}: has no partner {lack}; add it or remove this")
            )
    common = sorted(names["MRI"] & names[modality])
    if not common:
        findings.append(
            Finding(f"{folder}: holds no pairs; add MRI/NAME.png and {modality}/NAME.png")
        )
    findings += [*_odd_names(folder, modality, common), *_squeezed(folder, common)]
    return findings + [f for name in common for f in _pair(folder, modality, name)]


def _odd_names(folder: Path, modality: str, common: Sequence[str]) -> Iterator[Finding]:
    """Pictures that are left out, and names that do not tell the patient."""
    files = [path for kind in ("MRI", modality) for path in sorted(visible(folder / kind, "*"))]
    out = [p for p in files if p.suffix.lower() in PICTURES and p.suffix != ".png"]
    if out:
        yield Finding(
            f"{out[0]}: is left out, with {len(out) - 1} more; only NAME.png counts", error=False
        )
    odd = [name for name in common if not NUMBER.fullmatch(name)]
    if odd:
        yield Finding(
            f"{folder / 'MRI' / odd[0]}: cannot tell the patient, nor can {len(odd) - 1} more "
            "names; name pairs case number x 1000 + slice number, such as 28011.png",
            error=False,
        )


def _squeezed(folder: Path, names: Sequence[str]) -> Iterator[Finding]:
    """Pairs that are resized to a square."""
    oblong = [name for name in names if not _is_square(folder / "MRI" / name)]
    if oblong:
        yield Finding(
            f"{folder}: {len(oblong)} pairs are not square, such as {oblong[0]}: training and "
            "evaluation squeeze them; pad them to a square first",
            error=False,
        )


def _is_square(path: Path) -> bool:
    """By its header; a picture that cannot be read is told of elsewhere."""
    try:
        with Image.open(path) as picture:
            return picture.width == picture.height
    except Exception:  # Pillow's plug-ins raise whatever their formats bring up
        return True


def _pair(folder: Path, modality: str, name: str) -> Iterator[Finding]:
    pictures = []
    for path in (folder / "MRI" / name, folder / modality / name):
        if not path.is_file():
            yield Finding(f"{path}: cannot be read, it is a folder or a link to nothing; remove it")
            continue
        try:
            picture = read_picture(path)
        except InputError as error:
            yield Finding(str(error))
            continue
        pictures.append(picture)
        if picture.min() == picture.max():
            yield Finding(f"{path}: has the same value everywhere; remove the pair", error=False)
        if min(picture.shape[1:]) < SHORTEST:
            yield Finding(f"{path}: is smaller than {SHORTEST} pixels; remove the pair")
    if len(pictures) == 2 and pictures[0].shape[1:] != pictures[1].shape[1:]:
        sizes = " and ".join(f"{p.shape[2]} x {p.shape[1]}" for p in pictures)
        path = folder / modality / name
        yield Finding(f"{path}: differs in size from its MRI ({sizes} pixels); resample it")


def _shared(root: Path, modality: str) -> Iterator[Finding]:
    """Names, pictures and patients in both splits: the validation is then too good."""
    train, val = (
        sorted(visible(root / f"{modality}-MRI" / split / "MRI", "*.png")) for split in SPLITS
    )
    known = {path.name for path in train}
    twice = [path.name for path in val if path.name in known]
    for name in twice:
        yield Finding(f"{modality}-MRI: {name} is in train and in val; keep it in one", error=False)
    contents = digests(train)
    for path in val:
        same = contents.get(digest(path) or "")
        if same and path.name not in twice:
            yield Finding(
                f"{path}: is the same picture as {same.name} in train; keep it in one", error=False
            )
    cases = ({p.stem[:-3] for p in part if NUMBER.fullmatch(p.name)} for part in (train, val))
    for case in sorted(set.intersection(*cases)):
        yield Finding(
            f"{modality}-MRI: case {case} is in train and in val; keep a patient in one",
            error=False,
        )
