"""The control of an evaluation: every pair's moving image beside another patient's fixed image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from torch.utils.data import Dataset

from bundle.training.dataset import SeededDataset


class ControlledDataset(Dataset):
    """Items of a data set with their ``case`` and the fixed image of the control.

    Args:
        dataset: gives per pair what :class:`bundle.transforms.stack.StackImaged` keeps.
        pairs: the same pairs with ``modality``, ``name``, ``case`` and ``level``.
    """

    def __init__(self, dataset: SeededDataset, pairs: Sequence[Mapping[str, str]]) -> None:
        self.dataset = dataset
        self.pairs = pairs
        self.others = other_patients(pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def set_epoch(self, epoch: int) -> None:
        """Choose other deformations of the same pairs."""
        self.dataset.set_epoch(epoch)

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = {**self.dataset[index], "case": self.pairs[index]["case"]}
        other = self.others[index]
        return item | ({} if other is None else {"other_fixed": self.dataset[other]["fixed"]})


def other_patients(pairs: Sequence[Mapping[str, str]]) -> list[int | None]:
    """Choose for every pair the pair whose fixed image serves as its control.

    It is one of another case of the same modality, at about the same rank among that case's
    slices; where there is one case only, the slice half the list away. The first of several
    levels is taken, so that a pair has one control at all levels.

    Args:
        pairs: with ``modality``, ``name`` and ``case``.

    Returns:
        index of the control's pair, None where the modality has a single pair.
    """
    first: dict[tuple[str, str], int] = {}
    for index, pair in enumerate(pairs):
        first.setdefault((pair["modality"], pair["name"]), index)
    return [_other(pair, pairs, first) for pair in pairs]


def _other(
    pair: Mapping[str, str], pairs: Sequence[Mapping[str, str]], first: dict[tuple[str, str], int]
) -> int | None:
    same_modality = [i for (modality, _), i in first.items() if modality == pair["modality"]]
    cases: dict[str, list[int]] = defaultdict(list)
    for index in same_modality:
        cases[pairs[index]["case"]].append(index)
    names = list(cases)
    if len(names) == 1:
        rank = same_modality.index(first[pair["modality"], pair["name"]])
        far = (rank + len(same_modality) // 2) % len(same_modality)
        return same_modality[far] if far != rank else None
    own = cases[pair["case"]]
    other = cases[names[(names.index(pair["case"]) + 1) % len(names)]]
    return other[own.index(first[pair["modality"], pair["name"]]) * len(other) // len(own)]
