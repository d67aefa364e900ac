"""Weights are read once, as long as their file stays the same."""

from __future__ import annotations

import torch

from bundle.networks import load_network


def test_other_weights_under_the_same_name_are_noticed(tmp_path):
    state = {
        name: values.clone() for name, values in load_network(device="cpu").state_dict().items()
    }
    path = tmp_path / "model.pt"
    torch.save(state, path)
    first = load_network(path, "cpu")
    assert load_network(path, "cpu") is first
    name = next(name for name, values in state.items() if values.is_floating_point())
    state[name] += 1.0
    torch.save(state, path)
    second = load_network(path, "cpu")
    assert torch.equal(second.state_dict()[name], state[name]) and second is not first
