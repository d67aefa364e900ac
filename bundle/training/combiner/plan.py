"""Which heads are painted, misaligned and registered for the network that combines two fields."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from bundle import __version__
from bundle.errors import InputError
from bundle.registration.combined import LEARNT
from bundle.training.heads.scans import SLAB, THICK, WHOLE
from bundle.training.recipe import files_digest
from bundle.training.verify.heads import maps_of

SMALL, MEDIUM, LARGE, RIGID = "spatial_small", "spatial", "spatial_large", "rigid"
Round = tuple[str, str]
"""How the heads of a round are scanned, and how they are misaligned."""

ROUNDS: tuple[Round, ...] = (
    *((WHOLE, kind) for kind in (MEDIUM, SMALL, LARGE, RIGID, MEDIUM)),
    (SLAB, MEDIUM),
    (THICK, MEDIUM),
)
"""In a round every head is painted once in every modality."""

ALL_ROUNDS = len(ROUNDS)

VALIDATION_ROUNDS: tuple[Round, ...] = (
    (WHOLE, MEDIUM), (WHOLE, RIGID), (SLAB, MEDIUM), (THICK, MEDIUM),
)  # fmt: skip

FIRST_SEED = {"train": 1000, "val": 3000}


@dataclass(frozen=True)
class Plan:
    """A sample that is to be made.

    Attributes:
        path: tissue map of the head.
        modality: of the moving volume.
        scan: one of :data:`bundle.training.heads.scans.SCANS`.
        kind: one of :data:`bundle.training.heads.misalignment.MISALIGNMENTS`.
        seed: of the painting, of the scan and of the misalignment.
    """

    path: Path
    modality: str
    scan: str
    kind: str
    seed: int

    @property
    def name(self) -> str:
        """Of the sample's file."""
        head = self.path.name.partition(".")[0]
        return f"{self.seed}_{self.modality}_{head}_{self.scan}_{self.kind}.npz"


def name_parts(path: Path) -> tuple[str, str]:
    """What the name of a sample's file tells.

    Args:
        path: of a file that has :attr:`Plan.name`.

    Returns:
        the modality; scan and misalignment, as one word.
    """
    _, modality, _, _, level = path.stem.split("_", 4)
    return modality, level


def heads_digest(heads: Path) -> str:
    """What samples depend on that no :class:`Plan` says.

    Args:
        heads: folder of ``head_NN.nii.gz``.

    Returns:
        SHA-256 of the version, which paints and starts, and of the maps' names and contents.
    """
    maps = files_digest(maps_of(heads), heads)
    return hashlib.sha256(f"{__version__} {maps}".encode()).hexdigest()


def plans(heads: Path, split: str, rounds: int | None = None) -> list[Plan]:
    """All samples of a split.

    Args:
        heads: folder of ``head_NN.nii.gz``.
        split: ``train`` or ``val``.
        rounds: the first ones only.

    Raises:
        InputError: the folder has no head of the split.
    """
    found = maps_of(heads, split)
    if not found:
        raise InputError(f"{heads}: holds no head for {split}; name the folder of head_NN.nii.gz")
    rounds_of = ROUNDS if split == "train" else VALIDATION_ROUNDS
    every = product(rounds_of[:rounds], found, LEARNT)
    return [
        Plan(path, modality, scan, kind, FIRST_SEED[split] + number)
        for number, ((scan, kind), path, modality) in enumerate(every)
    ]
