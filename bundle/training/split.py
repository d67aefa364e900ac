"""Split pairs into training and validation without the same patient on both sides."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

Pair = Mapping[str, str]


def split_by_case(pairs: Sequence[Pair], share: float = 0.15, seed: int = 0) -> set[str]:
    """Choose the cases of the validation.

    A case is one patient in every modality. Cases are drawn until each modality that has two or
    more cases has about ``share`` of its pairs in validation, at most half as many again if its
    cases allow that; a modality's last case stays in training.

    Args:
        pairs: with ``modality`` and ``case``.
        share: of each modality's pairs, in (0, 1).
        seed: of the drawing.

    Returns:
        the cases for validation.
    """
    counts: dict[str, Counter] = defaultdict(Counter)
    for pair in pairs:
        counts[pair["modality"]][pair["case"]] += 1
    cases = sorted({pair["case"] for pair in pairs})
    random.Random(seed).shuffle(cases)
    chosen: set[str] = set()
    for most in (1.5 * share, 1.0):  # the second time for modalities that got no case at all
        for case in cases:
            holding = [count for count in counts.values() if case in count and case not in chosen]
            held = [(_held(count, chosen), count[case], count.total()) for count in holding]
            lacking = any(h < (share * total if most < 1 else 1) for h, _, total in held)
            fits = all(h == 0 or h + new <= most * total for h, new, total in held)
            if lacking and fits and all(set(count) - chosen - {case} for count in holding):
                chosen.add(case)
    return chosen


def _held(count: Counter, chosen: set[str]) -> int:
    return sum(number for case, number in count.items() if case in chosen)


def split_by_block(
    pairs: Sequence[Pair], share: float = 0.15, gap: int = 2
) -> tuple[list[Pair], list[Pair]]:
    """Split the slices of one subject: a block from the middle validates.

    Neighbouring slices look alike: up to ``gap`` slice numbers on each side of the block are
    left out altogether.

    Args:
        pairs: slices of one stack, with ``name``, whose last three digits are the slice.
        share: of the slices, in (0, 1).
        gap: slice numbers on each side.

    Returns:
        pairs for training and for validation.
    """
    ordered = sorted(pairs, key=_slice)
    number = max(1, round(share * len(ordered)))
    first = (len(ordered) - number) // 2
    block = ordered[first : first + number]
    lowest, highest = _slice(block[0]) - gap, _slice(block[-1]) + gap
    return [p for p in ordered if not lowest <= _slice(p) <= highest], block


def _slice(pair: Pair) -> int:
    return int(pair["name"][-3:])
