"""Through-plane consistency of the slices' fields."""

import torch

from bundle.registration.through_plane import smooth_through_plane


def test_an_empty_slice_takes_its_field_from_its_neighbours():
    fixed = torch.ones(1, 1, 4, 4, 5)
    fixed[..., 2] = 0.0
    ddf = torch.zeros(1, 2, 4, 4, 5)
    ddf[..., 2] = 50.0
    smooth = smooth_through_plane(ddf, fixed, sigma=1.0)
    assert smooth.max() < 0.2
    assert smooth.diff(dim=-1).abs().mean() < ddf.diff(dim=-1).abs().mean()
    constant = torch.full_like(ddf, 3.0)
    torch.testing.assert_close(smooth_through_plane(constant, fixed), constant)
    assert smooth_through_plane(ddf, fixed, sigma=0.0) is ddf
