"""Adam on the displacements of a pair of feature volumes."""

import pytest
import torch
from torch.nn import functional

from bundle.registration import instance_optimisation as optimisation
from bundle.registration.instance_optimisation import (
    instance_optimisation,
    smoothed,
    spline_beside,
)

SHAPE = (9, 10, 11)


def features(shift=0.0):
    """Waves along every axis, shifted along each by so many voxels."""
    axes = torch.meshgrid(*(torch.arange(n).float() for n in SHAPE), indexing="ij")
    return torch.stack([torch.sin(0.9 * (axis - shift)) for axis in axes])


def everywhere():
    return torch.ones(SHAPE, dtype=torch.bool)


def still():
    return torch.zeros(3, *SHAPE)


def package_s_way(moving, fixed, start, steps):
    """Means by pooling, samples of the whole volume and torch's optimiser."""
    parameters = start[None].clone().requires_grad_()
    optimiser = torch.optim.Adam([parameters], lr=1)
    grid = functional.affine_grid(torch.eye(3, 4)[None], (1, 1, *SHAPE), align_corners=False)
    for _ in range(steps + 1):
        optimiser.zero_grad()
        displacement = parameters
        for _ in range(3):
            displacement = functional.avg_pool3d(displacement, 3, stride=1, padding=1)
        along = displacement.permute(0, 2, 3, 4, 1)
        places = grid + (2 * along / torch.tensor(SHAPE)).flip(-1)
        sampled = functional.grid_sample(
            moving[None], places, align_corners=False, padding_mode="border"
        )
        loss = (sampled - fixed).square().sum(dim=1).mean()
        for axis in (1, 2, 3):
            loss = loss + 1.25 * torch.diff(along, dim=axis).square().mean()
        loss.backward()
        optimiser.step()
    return displacement[0].detach()


def test_steps_are_those_of_torch_s_adam_on_the_same_loss(monkeypatch):
    monkeypatch.setattr(optimisation, "SHARES", 1)
    fixed, moving = features(), features(1.0)
    start = 0.1 * torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0))
    found = instance_optimisation(fixed, moving, everywhere(), smoothed(start), 7, 1.0, 1.25)
    expected = package_s_way(moving, fixed, start, 7)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_voxels_count_in_turn():
    def found(fixed, steps):
        field = smoothed(still())
        return instance_optimisation(fixed, features(1.0), everywhere(), field, steps, 1.0, 0.0)

    seen = []
    for last in (4, 5):  # neighbours: one is in either share
        changed = features()
        changed[:, 4, 5, last] += 1.0
        assert not torch.equal(found(changed, 2), found(features(), 2))
        seen.append(not torch.equal(found(changed, 1), found(features(), 1)))
    assert sorted(seen) == [False, True]


@pytest.mark.parametrize("field", [smoothed, lambda start: spline_beside(start, 3)])
def test_it_points_from_the_fixed_to_the_moving_features(field):
    for axis in range(3):
        moving = features()
        moving[axis] = features(1.0)[axis]
        found = instance_optimisation(
            features(), moving, everywhere(), field(still()), 40, 0.3, 0.1
        )
        inner = found[:, 3:-3, 3:-3, 3:-3].mean(dim=(1, 2, 3))
        others = [one for one in range(3) if one != axis]
        assert 0.7 < inner[axis] < 1.2 and inner[others].abs().max() < 0.15


def test_a_spline_is_added_to_the_given_field():
    given = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(1))
    field = spline_beside(given, 3)
    assert field.first.shape == (3, 3, 3, 4) and field.first.abs().max() == 0
    one = torch.ones_like(field.first)  # of equal control points each voxel gets as much
    torch.testing.assert_close(field.added(one), torch.ones_like(given))
    kept = instance_optimisation(features(), features(), everywhere(), field, 0, 0.3, 1.0)
    torch.testing.assert_close(kept, given)


def test_what_is_given_counts_where_features_are_sampled_and_not_as_rough():
    given = still()
    given[0] = 1.0
    found = instance_optimisation(
        features(), features(1.0), everywhere(), spline_beside(given, 3), 3, 0.3, 1e6
    )
    assert (found - given).abs().amax(dim=(1, 2, 3))[0] < 0.7  # the first axis is aligned
    steep = torch.cumsum(torch.ones_like(given), dim=1)
    flat = instance_optimisation(
        torch.zeros(3, *SHAPE), torch.zeros(3, *SHAPE), everywhere(), spline_beside(steep, 3),
        3, 0.3, 1.0,
    )  # fmt: skip
    torch.testing.assert_close(flat, steep)


def test_it_works_where_gradients_are_off_and_leaves_its_inputs():
    start, where = still(), everywhere()
    where[4:] = False
    fixed, moving = features(), features(1.0)
    with torch.no_grad():
        found = instance_optimisation(fixed, moving, where, smoothed(start), 60, 1.0, 1.25)
    assert not found.requires_grad and start.abs().max() == 0
    assert found[:, :4].abs().mean() > 1.5 * found[:, -2:].abs().mean()
