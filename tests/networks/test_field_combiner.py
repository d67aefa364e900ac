"""The network that combines two fields of a volume."""

from __future__ import annotations

import math

import pytest
import torch

from bundle.networks import FieldCombiner, load_combiner
from bundle.networks.field_combiner import CELL, TwoFields


@pytest.fixture
def fields():
    """Of 7 x 6 x 9 cells: no side is what the network takes as it is."""
    random = torch.Generator().manual_seed(0)

    def values(channels, *cells):
        return torch.randn(1, channels, *cells, generator=random)

    cells = (7, 6, 9)
    image = values(2, *(CELL * n for n in cells)).sigmoid()
    head = torch.zeros(1, 1, *cells)
    head[:, :, 2:5, 2:5, 2:5] = 1
    return TwoFields(
        image, head, values(3, *cells), values(3, *cells), values(1, *cells).abs(),
        torch.tensor([[0.75, 0.6]]),
    )  # fmt: skip


def test_packing_loses_nothing(fields):
    packed = fields.packed()
    assert packed.shape == (1, sum(TwoFields.SIZES), 7, 6, 9)
    back = TwoFields.unpacked(packed)
    for name in ("image", "head", "learnt", "optimised", "spread", "weights"):
        torch.testing.assert_close(getattr(back, name), getattr(fields, name), msg=name)


def test_the_voxels_of_a_cell_are_its_channels(fields):
    packed = fields.packed()
    inside = fields.image[0, 1, 6:8, 4:6, 10:12].flatten()
    torch.testing.assert_close(packed[0, 8:16, 3, 2, 5], inside)


def test_it_begins_with_the_weighted_sum(fields):
    with torch.no_grad():
        found = FieldCombiner()(fields.packed())
    torch.testing.assert_close(found[:, :3], 0.75 * fields.learnt + 0.6 * fields.optimised)
    torch.testing.assert_close(found[:, 3], torch.full((1, 7, 6, 9), math.log(2)))


def test_it_changes_nothing_far_from_the_head(fields):
    torch.manual_seed(0)
    network = FieldCombiner()
    torch.nn.init.normal_(network.network.conv_final[-1].conv.weight)
    with torch.no_grad():
        added = network(fields.packed())[:, :3] - fields.sum
    assert added[..., 3, 3, 3].norm() > 0.01
    assert (added[..., 7:] == 0).all()  # more than two cells away


def test_a_coefficient_is_of_one_field_and_one_component(fields):
    """Biases stand for what the last layer gives: 0.5 more of the second field's columns."""
    network = FieldCombiner()
    with torch.no_grad():
        network.network.conv_final[-1].conv.bias[4] = 0.5
        added = network(fields.packed())[:, :3] - fields.sum
    near = torch.nn.functional.avg_pool3d(fields.head, 5, 1, 2)
    expected = torch.zeros_like(added)
    expected[:, 1] = 0.5 * fields.optimised[:, 1] * near[:, 0]
    torch.testing.assert_close(added, expected)


def test_the_number_of_threads_does_not_count():
    """What two processes write of one pair is the same to the byte."""
    packed = torch.rand(1, sum(TwoFields.SIZES), 43, 41, 41, generator=torch.manual_seed(0))
    found, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                found.append(load_combiner()(packed))
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(*found, rtol=0, atol=0)


def test_the_shipped_weights_are_read_once_and_finite(fields):
    with torch.no_grad():
        found = load_combiner()(fields.packed())
    assert torch.isfinite(found).all() and load_combiner() is load_combiner()
    assert not torch.equal(found[:, :3], fields.sum) and (found[:, 3] > 0).all()
