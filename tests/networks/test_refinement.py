"""Refinement: rounds that correct a field by what the warped image still shows."""

import pytest
import torch
from torch.nn import functional

from bundle.geometry.warp import warp_tokens
from bundle.networks import refinement as module
from bundle.networks.refinement import Refinement


@pytest.fixture
def refinement():
    torch.manual_seed(0)
    return Refinement(channels=8, features=4)


def textures(batch, size=32):
    """Smooth random features of pixels and their tokens, and the same shifted by a known field.

    The field is in tokens, fixed to moving: ``fixed(x) = moving(x + field(x))``.
    """
    pixels = functional.avg_pool2d(torch.randn(batch, 4, size + 8, size + 8), 3, 1, 1)
    shift = 2.0 * torch.rand(batch, 2, 1, 1) - 1.0
    field = shift.expand(batch, 2, size // 2, size // 2)
    dense = 2.0 * shift.expand(batch, 2, size + 8, size + 8)
    images = [warp_tokens(pixels, dense)[..., 4:-4, 4:-4], pixels[..., 4:-4, 4:-4]]
    fixed, moving = ([functional.avg_pool2d(i, 2).repeat(1, 2, 1, 1), i] for i in images)
    return fixed, moving, field


def test_one_field_per_round_each_near_the_start_before_training(refinement):
    fixed, moving, field = textures(2)
    fields = refinement(fixed, moving, field, 3)
    assert [tuple(one.shape) for one in fields] == [(2, 2, 16, 16)] * 3
    assert all(one.dtype == torch.float32 for one in fields)
    assert (fields[-1] - field).abs().mean() < 0.2
    assert refinement(fixed, moving, field, 0) == []


def test_each_round_is_trained_by_itself(refinement):
    fixed, moving, field = textures(1)
    start = field.clone().requires_grad_()
    fields = refinement(fixed, moving, start, 2)
    fields[1].sum().backward()
    assert start.grad is None


def test_a_token_is_two_pixels_of_the_features_below(refinement, monkeypatch):
    seen = []

    def spy(features, displacement):
        seen.append((features.shape[-1], displacement.unique().tolist()))
        return warp_tokens(features, displacement)

    monkeypatch.setattr(module, "warp_tokens", spy)
    fixed, moving, field = textures(1)
    refinement(fixed, moving, torch.full_like(field, 0.5), 1)
    assert seen == [(16, [0.5]), (32, [1.0])]


def test_rounds_learn_the_shift_with_its_sign(refinement):
    torch.manual_seed(1)
    optimizer = torch.optim.Adam(refinement.parameters(), lr=3e-3)
    for _ in range(150):
        fixed, moving, field = textures(8)
        fields = refinement(fixed, moving, torch.zeros_like(field), 2)
        loss = sum((one - field).abs().mean() for one in fields)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    fixed, moving, field = textures(32)
    with torch.no_grad():
        _, second = refinement(fixed, moving, torch.zeros_like(field), 2)
    before, after = field.abs().mean(), (second - field).abs().mean()
    assert after < 0.4 * before
