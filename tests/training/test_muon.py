"""Muon for kernels, AdamW for the rest."""

import copy

import pytest
import torch

from bundle.training.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(16, 40), (40, 16), (24, 24)])
def test_singular_values_become_alike_and_vectors_stay(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape) @ torch.diag(torch.logspace(0, -1, shape[1]))
    result = orthogonalised(matrix)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.5 and values.max() < 1.3
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    turned = u.T @ result @ v.T
    assert (turned - torch.diag(turned.diagonal())).abs().max() < 0.04  # bfloat16 inside


def test_kernels_step_as_torch_does_and_the_rest_as_adamw():
    torch.manual_seed(0)
    layer = torch.nn.Linear(32, 16)
    other = copy.deepcopy(layer)
    ours = Muon(layer.parameters(), lr=0.01)
    theirs = [
        torch.optim.Muon([other.weight], 0.01, 1e-4, 0.95, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([other.bias], 0.01, (0.9, 0.98), weight_decay=1e-4),
    ]
    before = layer.weight.detach().clone()
    for _ in range(3):
        inputs = torch.randn(64, 32)
        for module, optimizers in ((layer, [ours]), (other, theirs)):
            module.zero_grad()
            (module(inputs) - inputs[:, :16]).square().mean().backward()
            for optimizer in optimizers:
                optimizer.step()
    torch.testing.assert_close(layer.bias, other.bias, rtol=0, atol=2e-4)
    moved = (other.weight - before).norm()
    assert (layer.weight - other.weight).norm() < 0.04 * moved  # both are bfloat16 inside


def test_a_kernel_is_the_matrix_of_its_output_channels():
    torch.manual_seed(0)
    kernel = torch.nn.Parameter(torch.randn(8, 8, 3, 3))
    matrix = torch.nn.Parameter(kernel.detach().flatten(1).clone())
    gradient = torch.randn(8, 72)
    for parameter in (kernel, matrix):
        parameter.grad = gradient.view_as(parameter).clone()
        Muon([parameter]).step()
        assert parameter.grad is None
    torch.testing.assert_close(kernel.flatten(1), matrix)


def test_heads_and_depthwise_kernels_are_adamws():
    shapes = [(2, 32, 3, 3), (48, 1, 3, 3), (16, 1, 3, 3), (32,), (32, 16, 1, 1), (8, 9)]
    parameters = [torch.nn.Parameter(torch.zeros(shape)) for shape in shapes]
    kernels, others = Muon(parameters).param_groups
    assert [tuple(p.shape) for p in kernels["params"]] == [(32, 16, 1, 1), (8, 9)]
    assert len(others["params"]) == 4


def test_state_goes_through_a_file(tmp_path):
    torch.manual_seed(0)
    runs = []
    for interrupted in (False, True):
        torch.manual_seed(1)
        layer = torch.nn.Conv2d(8, 8, 3)
        optimizer = Muon(layer.parameters(), lr=0.01)
        for step in range(4):
            if interrupted and step == 2:
                torch.save(optimizer.state_dict(), tmp_path / "state.pt")
                optimizer = Muon(layer.parameters(), lr=0.5)
                optimizer.load_state_dict(torch.load(tmp_path / "state.pt"))
            optimizer.zero_grad()
            layer(torch.full((1, 8, 5, 5), 0.1 * step + 0.1)).square().mean().backward()
            optimizer.step()
        runs.append(layer.weight.detach())
    torch.testing.assert_close(runs[0], runs[1], rtol=0, atol=0)
