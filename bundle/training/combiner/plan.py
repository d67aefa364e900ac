"""Which heads are painted, misaligned and registered for the network that combines two fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import InputError
from bundle.registration.combined import LEARNT
from bundle.training.verify.heads import maps_of

SMALL, MEDIUM, LARGE, RIGID = "spatial_small", "spatial", "spatial_large", "rigid"
ROUNDS = {
    "CT": (MEDIUM, MEDIUM, MEDIUM, MEDIUM, SMALL, LARGE, RIGID),
    "PET": (SMALL, SMALL, SMALL, SMALL, MEDIUM, LARGE, RIGID),
    "SPECT": (LARGE, LARGE, LARGE, LARGE, MEDIUM, SMALL, RIGID),
}
"""Misalignment of each round: in a round every head is painted once in every modality."""

ALL_ROUNDS = len(ROUNDS["CT"])

VALIDATION_ROUNDS = dict.fromkeys(ROUNDS, (MEDIUM, RIGID))

FIRST_SEED = {"train": 1000, "val": 3000}


@dataclass(frozen=True)
class Plan:
    """A sample that is to be made.

    Attributes:
        path: tissue map of the head.
        modality: of the moving volume.
        kind: one of :data:`bundle.training.heads.misalignment.MISALIGNMENTS`.
        seed: of the painting and of the misalignment.
    """

    path: Path
    modality: str
    kind: str
    seed: int

    @property
    def name(self) -> str:
        """Of the sample's file."""
        return f"{self.seed}_{self.modality}_{self.path.name.partition('.')[0]}_{self.kind}.npz"


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
    kinds: Mapping[str, Sequence[str]] = ROUNDS if split == "train" else VALIDATION_ROUNDS
    there = len(kinds[LEARNT[0]])
    count = there if rounds is None else min(rounds, there)
    return [
        _plan(i, found, kinds, FIRST_SEED[split]) for i in range(count * len(found) * len(LEARNT))
    ]


def _plan(
    number: int, heads: Sequence[Path], kinds: Mapping[str, Sequence[str]], first: int
) -> Plan:
    modality = LEARNT[number % len(LEARNT)]
    turn, head = divmod(number // len(LEARNT), len(heads))
    return Plan(heads[head], modality, kinds[modality][turn], first + number)
