"""Which pairs an epoch has: by seed and epoch alone, every pair once before any comes again."""

from collections import Counter

import pytest
from ignite.engine import Engine, Events
from monai.transforms import Compose

import bundle.training.sampler as sampler
from bundle.training.dataset import SeededDataset
from bundle.training.sampler import EpochSampler
from tests.training.test_dataset import Draw


def epoch(number, size=10, pairs=None, seed=0):
    found = EpochSampler(range(size), pairs, seed)
    found.set_epoch(number)
    listed = list(found)
    assert len(listed) == len(found)
    return listed


def shares(monkeypatch, processes, number, size, pairs):
    """What each process gets."""
    monkeypatch.setattr(sampler, "world_size", lambda: processes)
    found = []
    for rank in range(processes):
        monkeypatch.setattr(sampler, "rank", lambda rank=rank: rank)
        found.append(epoch(number, size, pairs))
    return found


def test_the_order_depends_on_seed_and_epoch_only():
    assert epoch(3) == epoch(3) != sorted(epoch(3))
    assert len({tuple(epoch(k, seed=s)) for k in (1, 2, 3) for s in (0, 1)}) == 6
    one = EpochSampler(range(10), 4)
    for number in (3, 1, 2, 3):  # whatever was before
        one.set_epoch(number)
        assert list(one) == epoch(number, pairs=4)


def test_an_epoch_is_as_long_as_the_pairs_where_nothing_else_is_said():
    assert sorted(epoch(1)) == sorted(epoch(2)) == list(range(10))


@pytest.mark.parametrize("pairs", [1, 3, 4, 7, 10, 13, 25])
def test_every_pair_comes_once_per_lap(pairs):
    """However an epoch cuts the laps."""
    seen = [place % 10 for number in range(1, 41) for place in epoch(number, pairs=pairs)]
    assert len(seen) == 40 * pairs
    for first in range(0, len(seen) - 9, 10):
        assert sorted(seen[first : first + 10]) == list(range(10))


@pytest.mark.parametrize("pairs", [7, 10, 25])
@pytest.mark.parametrize("number", [1, 2, 5])
def test_an_epoch_names_a_pair_that_it_has_again_by_another_index(pairs, number):
    """The index seeds the random numbers; modulo the number of pairs it is the pair."""
    listed = epoch(number, pairs=pairs)
    assert len(set(listed)) == pairs
    times = Counter(index // 10 for index in listed)
    assert set(times) == set(range(max(times) + 1)) and max(times.values()) <= 10


@pytest.mark.parametrize("processes", [2, 3, 4])
@pytest.mark.parametrize("pairs", [None, 5, 12, 30])
@pytest.mark.parametrize("number", [1, 2, 7])
def test_shares_of_processes_are_disjoint_and_complete(monkeypatch, processes, pairs, number):
    parts = shares(monkeypatch, processes, number, 10, pairs)
    together = (pairs or 10) // processes * processes
    assert {len(part) for part in parts} == {together // processes}
    assert len({index for part in parts for index in part}) == together
    monkeypatch.undo()
    dealt = [index for step in zip(*parts, strict=True) for index in step]
    assert dealt == epoch(number, pairs=together)  # as one process has them, index by index


def test_the_trainer_says_which_epoch_it_is():
    found, seen = EpochSampler(range(6), 4), []
    trainer = Engine(lambda *_: None)
    found.attach(trainer)
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda: seen.append(list(found)))
    trainer.run([0], max_epochs=3)
    assert seen == [epoch(number, 6, 4) for number in (1, 2, 3)]


def test_a_pair_that_comes_again_is_drawn_anew():
    data = SeededDataset([{}] * 2, Compose([Draw()]), progress=False)
    data.set_epoch(1)
    found = EpochSampler(data, pairs=8)
    items = [data[index] for index in found]
    assert len({item["value"] for item in items}) == 8
    assert Counter(item["index"] for item in items) == {0: 4, 1: 4}
