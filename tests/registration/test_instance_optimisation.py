"""Adam on the displacements of a pair."""

import torch
from torch.nn import functional

from bundle.registration import instance_optimisation as module
from bundle.registration.instance_optimisation import instance_optimisation


def features(shape=(9, 10, 11), shift=0):
    """Waves along every axis, of which the last ones are shifted."""
    axes = torch.meshgrid(*(torch.arange(n).float() for n in shape), indexing="ij")
    return torch.stack([torch.sin(0.9 * (axis - shift)) for axis in axes])


def everywhere(shape=(9, 10, 11)):
    return torch.ones(shape, dtype=torch.bool)


def test_steps_are_those_of_torch_s_adam_on_the_same_loss(monkeypatch):
    """Means by pooling, samples of the whole volume and torch's optimiser: the package's way."""
    monkeypatch.setattr(module, "STEPS", 7)
    fixed, moving = features(), features(shift=1)
    start = 0.1 * torch.randn(3, 9, 10, 11, generator=torch.Generator().manual_seed(0))
    found = instance_optimisation(fixed, moving, start, everywhere())
    parameters = start[None].clone().requires_grad_()
    optimiser = torch.optim.Adam([parameters], lr=1)
    size = torch.tensor([9.0, 10.0, 11.0])
    grid = functional.affine_grid(torch.eye(3, 4)[None], (1, 1, 9, 10, 11), align_corners=False)
    for _ in range(7):
        optimiser.zero_grad()
        displacement = parameters
        for _ in range(3):
            displacement = functional.avg_pool3d(displacement, 3, stride=1, padding=1)
        steps = displacement.permute(0, 2, 3, 4, 1)
        sampled = functional.grid_sample(
            moving[None], grid + (2 * steps / size).flip(-1), align_corners=False,
            padding_mode="border",
        )  # fmt: skip
        loss = (sampled - fixed).square().sum(dim=1).mean()
        for axis in (1, 2, 3):
            loss = loss + 1.25 * torch.diff(steps, dim=axis).square().mean()
        loss.backward()
        optimiser.step()
    torch.testing.assert_close(found, displacement[0].detach(), rtol=1e-3, atol=1e-4)


def test_it_points_from_the_fixed_to_the_moving_features():
    for axis in range(3):
        moving = features()
        moving[axis] = features(shift=1)[axis]
        found = instance_optimisation(features(), moving, torch.zeros(3, 9, 10, 11), everywhere())
        inner = found[:, 3:-3, 3:-3, 3:-3].mean(dim=(1, 2, 3))
        others = [one for one in range(3) if one != axis]
        assert 0.4 < inner[axis] < 1.2 and inner[others].abs().max() < 0.1


def test_it_works_where_gradients_are_off_and_leaves_its_inputs():
    start, where = torch.zeros(3, 9, 10, 11), everywhere()
    where[4:] = False
    with torch.inference_mode():
        fixed, moving = features(), features(shift=1)
    with torch.no_grad():
        found = instance_optimisation(fixed.clone(), moving.clone(), start, where)
    assert not found.requires_grad and start.abs().max() == 0
    assert found[:, :4].abs().mean() > 1.5 * found[:, -2:].abs().mean()
