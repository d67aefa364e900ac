"""Training with compiled kernels: the same network, the same names."""

import copy

import pytest
import torch

from bundle.networks import BiMSRec
from bundle.training.run import prepare_network


@pytest.fixture
def network():
    torch.manual_seed(0)
    return BiMSRec(scales=1, directions="forward", reduction=4, stage="registration").train()


def test_compiling_renames_nothing_and_copies_stay_plain(network):
    names = list(network.state_dict())
    prepared = prepare_network(network, torch.device("cpu"), compiled=True)
    assert prepared is network and list(network.state_dict()) == names
    assert network._compiled_call_impl is not None
    assert copy.deepcopy(network)._compiled_call_impl is None  # the averaged weights validate


def test_the_network_is_one_graph_and_gives_the_same(network):
    image = torch.rand(2, 2, 32, 32)
    plain = network(image)
    network.compile(backend="eager", fullgraph=True)
    graph = network(image)
    torch.testing.assert_close(graph["ddf"], plain["ddf"])
    torch.testing.assert_close(graph["flows"], plain["flows"])
