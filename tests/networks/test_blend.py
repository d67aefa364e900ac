"""The combination of both sources, and what the network is told of their cells."""

import torch

from bundle.networks.blend import blend, local_statistics


def test_exact_values_of_the_combination():
    fixed = torch.tensor([0.2, 0.8, 0.5, 0.0]).view(1, 1, 2, 2)
    warped = torch.tensor([0.6, 0.4, 0.5, 0.0]).view(1, 1, 2, 2)
    half = torch.tensor([0.5, 0.25, 0.0, 0.1]).view(1, 4, 1, 1).expand(1, 4, 2, 2)
    expected = torch.tensor([0.35, 0.6, 0.5, 0.0]).view(1, 1, 2, 2)
    torch.testing.assert_close(blend(half, fixed, warped), expected)
    maximum = torch.tensor([0.2, 0.0, 0.8, 0.0]).view(1, 4, 1, 1).expand(1, 4, 2, 2)
    expected = torch.tensor([0.52, 0.8, 0.5, 0.0]).view(1, 1, 2, 2)
    torch.testing.assert_close(blend(maximum, fixed, warped), expected)


def test_volumes_are_combined_as_pictures_are():
    generator = torch.Generator().manual_seed(0)
    weights, fixed, warped = (torch.randn(1, n, 3, 4, 5, generator=generator) for n in (4, 1, 1))
    whole = blend(weights, fixed, warped)
    for k in range(5):
        part = blend(weights[..., k], fixed[..., k], warped[..., k])
        assert torch.equal(whole[..., k], part)


def test_means_and_spreads_of_cells():
    fixed, warped = torch.zeros(1, 1, 8, 8), torch.full((1, 1, 8, 8), 0.5)
    fixed[..., :4] = 1.0  # the left half
    found = local_statistics(fixed, warped, 4)
    assert found.shape == (1, 7, 2, 2)
    torch.testing.assert_close(found[0, :3, 0], torch.tensor([[1.0, 0.0], [0.5, 0.5], [1.0, 0.5]]))
    # around each cell lie both halves, alike in number
    torch.testing.assert_close(found[0, 3], torch.full((2, 2), 0.5), atol=1e-4, rtol=0)
    assert found[0, 4].max() < 2e-3  # a constant has no spread
    assert found[0, 6].abs().max() < 1e-3  # and no correlation


def test_equal_images_correlate_and_negatives_anticorrelate():
    fixed = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        local_statistics(fixed, fixed, 4)[0, 6], torch.ones(4, 4), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(
        local_statistics(fixed, 1 - fixed, 4)[0, 6], -torch.ones(4, 4), atol=1e-3, rtol=0
    )
