"""No patient, picture or neighbouring slice on both sides of a split."""

from __future__ import annotations

import pytest

from bundle.training.split import split_by_block, split_by_case


def pairs(modality, **cases):
    return [
        {"modality": modality, "case": case, "name": f"{case}{k:03d}"}
        for case, count in cases.items()
        for k in range(count)
    ]


@pytest.mark.parametrize("seed", range(8))
def test_every_modality_with_two_cases_has_both_sides(seed):
    both = [*pairs("CT", a=10, b=10, c=10), *pairs("SPECT", a=5, d=5), *pairs("PET", e=7)]
    chosen = split_by_case(both, 0.2, seed)
    assert chosen & {"a", "b", "c"} and chosen & {"a", "d"}
    assert {"a", "b", "c"} - chosen and {"a", "d"} - chosen
    assert "e" not in chosen  # the only case stays in training
    assert chosen == split_by_case(both[::-1], 0.2, seed)


def test_about_the_share_is_taken():
    cases = {f"c{k:02d}": 10 for k in range(40)}
    assert len(split_by_case(pairs("CT", **cases), 0.15, 0)) == 6


def test_a_block_has_a_gap_on_each_side():
    train, block = split_by_block(pairs("PET", x=20)[::-1], 0.2, gap=2)
    assert [pair["name"] for pair in block] == ["x008", "x009", "x010", "x011"]
    assert [int(pair["name"][1:]) for pair in train] == [*range(6), *range(14, 20)]


def test_a_large_case_does_not_make_half_of_the_pairs_validate():
    cases = {f"c{k}": 10 for k in range(8)} | {"large": 40}
    for seed in range(8):
        chosen = split_by_case(pairs("CT", **cases), 0.2, seed)  # 24 of 120
        assert chosen == {"large"} or (len(chosen) == 3 and "large" not in chosen)
