"""Parts of the network, each against an independent oracle."""

import numpy as np
import pytest
import torch
from monai.networks.blocks import Warp
from monai.networks.nets.restormer import MDTATransformerBlock
from scipy.interpolate import BSpline

from bundle.geometry.warp import token_grid, warp_tokens
from bundle.networks.cross_attention import (
    attend,
    global_attention,
    unit_tokens,
    with_prior,
)
from bundle.networks.hdfa import HDFA
from bundle.networks.local_correlation import local_correlation
from bundle.networks.m2freg import M2FReg
from bundle.networks.patch_embedding import MultiScalePatchEmbedding
from bundle.networks.reg_block import RegBlk
from bundle.networks.restormer import RestormerBlock
from bundle.networks.spline import spline_upsample, spline_weights


def test_restormer_block_equals_monai():
    block, reference = RestormerBlock(16, 2, 1.5), MDTATransformerBlock(2, 16, 2, 1.5, bias=False)
    pairs = {
        "qkv": "attn.qkv.conv", "qkv_depthwise": "attn.qkv_dwconv.conv",
        "attention_out": "attn.project_out.conv", "gate_in": "ffn.project_in.conv",
        "gate_depthwise": "ffn.dwconv.conv", "gate_out": "ffn.project_out.conv",
    }  # fmt: skip
    for own, theirs in pairs.items():
        block.get_submodule(own).load_state_dict(reference.get_submodule(theirs).state_dict())
    with torch.no_grad():
        temperature = torch.rand_like(reference.attn.temperature) + 1
        reference.attn.temperature.copy_(temperature)
        block.temperature.copy_(temperature)
        x = torch.rand(2, 16, 40, 56) + 0.5
        torch.testing.assert_close(block(x), reference(x), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(torch.jit.script(block)(x), block(x))


def test_warp_equals_monai():
    image, ddf = torch.rand(2, 3, 20, 30), 4 * torch.randn(2, 2, 20, 30)
    for padding in ("border", "zeros"):
        expected = Warp("bilinear", padding)(image, ddf)
        torch.testing.assert_close(warp_tokens(image, ddf, padding), expected, atol=1e-4, rtol=1e-4)


def test_hdfa_aligns_by_every_field():
    moving = torch.arange(16.0).reshape(1, 1, 4, 4)
    down = torch.zeros(1, 2, 4, 4)
    down[:, 0] = 1.0
    aligned = HDFA()(moving, [torch.zeros(1, 2, 4, 4), down])
    assert aligned.shape == (1, 2, 4, 4)
    torch.testing.assert_close(aligned[0, 0], moving[0, 0])
    torch.testing.assert_close(aligned[0, 1, :3], moving[0, 0, 1:])


def test_spline_weights_are_the_uniform_cubic_b_spline():
    weights = spline_weights(64, 16, torch.zeros(1))
    basis = BSpline.basis_element(np.arange(-2, 3), extrapolate=False)
    position = (32 + 0.5) / 4 - 0.5
    expected = np.nan_to_num(basis(position - np.arange(16)))
    np.testing.assert_allclose(weights[32].numpy(), expected, atol=1e-6)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(64))


def test_spline_upsampling_keeps_constants_and_inner_ramps():
    control = torch.stack([torch.full((8, 8), 3.0), torch.arange(8.0).expand(8, 8)])[None]
    fine = spline_upsample(control, 32, 32)
    torch.testing.assert_close(fine[0, 0], torch.full((32, 32), 3.0))
    expected = (torch.arange(32) + 0.5) / 4 - 0.5
    torch.testing.assert_close(fine[0, 1, 16, 8:24], expected[8:24])


def test_attend_is_equation_1():
    query, key, value = torch.randn(2, 5, 4), torch.randn(2, 7, 4), torch.randn(2, 7, 4)
    expected = torch.softmax(query @ key.transpose(1, 2), dim=-1) @ value
    torch.testing.assert_close(attend(query, key, value), expected)


@pytest.mark.parametrize("stride", [1, 2])
def test_prior_is_a_gaussian_of_the_displacement(stride):
    width = torch.tensor(1.5).log()
    query = with_prior(torch.zeros(1, 4, 4, 6), width, 1, is_query=True)
    key = with_prior(torch.zeros(1, 4, 4 // stride, 6 // stride), width, stride, is_query=False)
    logits = (query.flatten(2).transpose(1, 2) @ key.flatten(2))[0]
    points = token_grid(query)[0].flatten(1).T
    places = token_grid(key, stride)[0].flatten(1).T
    distance = (points[:, None] - places[None]).square().sum(dim=-1)
    expected = (-distance / (2 * 1.5**2)).softmax(dim=-1)
    torch.testing.assert_close(logits.softmax(dim=-1), expected)


def test_positions_as_values_find_the_shift():
    key = unit_tokens(torch.randn(1, 16, 12, 12))
    query = torch.roll(key, shifts=(-2, 3), dims=(2, 3))
    grid = token_grid(key)
    found = global_attention(60 * query, key, torch.cat([key[:, :14], grid], 1))
    displacement = (found[:, -2:] - grid)[0, :, 3:9, 4:9]
    torch.testing.assert_close(displacement[0], torch.full((6, 5), 2.0), atol=0.1, rtol=0)
    torch.testing.assert_close(displacement[1], torch.full((6, 5), -3.0), atol=0.1, rtol=0)


def test_local_correlation_has_the_gradient_of_its_differences():
    torch.manual_seed(0)
    query, key = torch.randn(2, 2, 3, 5, 4, dtype=torch.float64).unbind()
    query.requires_grad_()
    key.requires_grad_()
    assert torch.autograd.gradcheck(lambda q, k: local_correlation(q, k, 2), (query, key))


def test_local_correlation_peaks_at_the_shift():
    key = unit_tokens(torch.randn(1, 16, 9, 9))
    query = torch.roll(key, shifts=(-1, 2), dims=(2, 3))  # query(x) = key(x + (1, -2))
    nearby = local_correlation(query, key, radius=2)
    assert nearby.shape == (1, 25, 9, 9)
    offset = nearby[0, :, 3:6, 3:6].argmax(dim=0)
    assert (offset == (1 + 2) * 5 + (-2 + 2)).all()
    torch.testing.assert_close(nearby[0, 15, 3:6, 3:6], torch.ones(3, 3))


def test_the_window_says_how_far_the_content_moved():
    block = RegBlk(16, dim=16, radius=2, prior=3.0)
    block.project.query.weight.data.copy_(torch.eye(16)[:, :, None, None])
    block.project.key.load_state_dict(block.project.query.state_dict())
    block.window_log_scale.data.fill_(4.0)
    fixed = torch.randn(1, 16, 9, 9)
    moving = torch.roll(fixed, shifts=(1, -2), dims=(2, 3))  # moving(x + (1, -2)) = fixed(x)
    near = block(fixed, moving)[1][0, :, 3:6, 3:6]
    expected = torch.tensor([1.0, -2.0])[:, None, None].expand(2, 3, 3)
    torch.testing.assert_close(near, expected, atol=0.1, rtol=0)


def test_embedding_gives_five_falling_resolutions():
    scales = MultiScalePatchEmbedding()(torch.rand(1, 16, 32, 48))
    assert [tuple(s.shape[1:]) for s in scales] == [
        (32, 16, 24), (64, 8, 12), (80, 4, 6), (80, 2, 3), (80, 2, 3),
    ]  # fmt: skip


@pytest.mark.parametrize("pool", [1, 2])
def test_reg_block_keeps_the_grid(pool):
    block = RegBlk(16, dim=16, pool=pool, radius=1)
    features, displacement, window = block(torch.rand(2, 16, 8, 12), torch.rand(2, 16, 8, 12))
    assert window.shape == (2, 9, 8, 12)
    assert features.shape == (2, 16, 8, 12)
    assert displacement.shape == (2, 2, 8, 12) and displacement.dtype == torch.float32


def test_flows_of_both_pathways_belong_to_mirrored_scales():
    sizes = (32, 16, 8, 4, 4)
    channels = (32, 64, 80, 80, 80)
    features = [torch.rand(1, c, n, n) for c, n in zip(channels, sizes, strict=True)]
    flows, logits, found, windows = M2FReg()(features, features)
    assert [tuple(one.shape[1:]) for one in windows] == [
        (81, 32, 32), (49, 16, 16), (25, 8, 8), (9, 4, 4), (9, 4, 4),
    ]  # fmt: skip
    assert [flow.shape[-1] for flow in flows] == [*sizes, *sizes[::-1]]
    assert len(logits) == 10 and len(found) == 5
