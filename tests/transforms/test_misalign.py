"""Misalignment of items: levels, exact inverse, sign and axes, seeds."""

import numpy as np
import pytest
import torch
from monai.networks.blocks import Warp
from scipy.ndimage import gaussian_filter

from bundle.domain import LEVELS
from bundle.transforms import draw_on_device
from bundle.transforms.draw_monai import elastic_displacement
from bundle.transforms.maps import Maps, Spread
from bundle.transforms.misalign import RandMisalignd, misaligned

SIZE = 256


@pytest.fixture(scope="module")
def picture():
    noise = np.random.default_rng(0).standard_normal((SIZE, SIZE))
    texture = gaussian_filter(noise, 4)
    rows, columns = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    head = (rows / 100) ** 2 + (columns / 80) ** 2 < 1
    return torch.from_numpy((0.5 + texture * 4).clip(0.05, 1) * head).float()[None]


def misalign(picture, level, seed=0):
    transform = RandMisalignd()
    transform.set_random_state(seed)
    return transform({"fixed": picture, "moving": picture, "level": level})


def pull(image, ddf):
    return Warp("bilinear", "zeros")(image[None], ddf[None])[0]


def test_levels_are_those_of_the_contract():
    found = {
        name: (one.rotation, one.scale, one.translation, one.sigma, one.std)
        for name, one in LEVELS.items()
    }
    assert found == {
        "aligned": (0, 0, 0, 16, 0),
        "small": (0, 0, 2.5, 16, 2.6),
        "medium": (5, 0.05, 8, 20, 4),
        "large": (10, 0.10, 16, 24, 6),
    }


@pytest.mark.parametrize("level", ["small", "medium", "large"])
def test_the_field_restores_and_its_mirror_images_do_not(picture, level):
    item = misalign(picture, level, seed=3)
    errors = {
        name: float((pull(item["deformed"], field) - item["aligned"]).abs().mean())
        for name, field in {
            "true": item["ddf"],
            "none": torch.zeros_like(item["ddf"]),
            "negative": -item["ddf"],
            "swapped": item["ddf"].flip(0),
        }.items()
    }
    assert errors["true"] < 0.3 * min(errors[n] for n in ("none", "negative", "swapped"))


@pytest.mark.parametrize(
    ("level", "mean"), [("aligned", 0.0), ("small", 3.7), ("medium", 8.5), ("large", 16.0)]
)
def test_levels_have_their_mean_displacement(picture, level, mean):
    head = picture[0] > 0
    lengths = [misalign(picture, level, s)["ddf"].norm(dim=0)[head].mean() for s in range(24)]
    assert np.mean(lengths) == pytest.approx(mean, rel=0.2)


@pytest.mark.parametrize("level", ["small", "medium", "large"])
def test_elastic_part_has_its_spread_and_smoothness(level):
    sigma, std = LEVELS[level].sigma, LEVELS[level].std
    random = np.random.RandomState(0)
    fields = torch.stack(
        [elastic_displacement((SIZE, SIZE), sigma, std, random) for _ in range(30)]
    )
    assert fields.std() == pytest.approx(std, rel=0.1)
    lag = round(sigma)
    correlation = (fields[..., lag:] * fields[..., :-lag]).mean() / fields.square().mean()
    assert correlation == pytest.approx(np.exp(-0.25), abs=0.08)


def test_inverse_is_exact(picture):
    """Compose both maps: y = x + ddf(x) must be sent back to x by the forward map."""
    item = misalign(picture, "large", seed=5)
    coordinates = torch.stack(torch.meshgrid(*[torch.arange(SIZE).float()] * 2, indexing="ij"))
    # the deformed coordinate picture holds the forward map; pulled back it is the identity
    transform = RandMisalignd()
    transform.set_random_state(5)
    forward = transform({"fixed": picture, "moving": coordinates, "level": "large"})
    torch.testing.assert_close(forward["ddf"], item["ddf"])
    identity = pull(forward["deformed"], item["ddf"])
    inner = slice(60, -60)
    error = (identity - coordinates)[:, inner, inner].abs().mean()
    assert error < 0.02


def test_zero_magnitude_is_the_identity(picture):
    item = misalign(picture, "aligned")
    assert not item["ddf"].any()
    assert torch.equal(item["deformed"], item["aligned"])
    torch.testing.assert_close(item["aligned"], picture, atol=1e-5, rtol=0)
    assert not elastic_displacement((64, 65), 8.0, 0.0, np.random.RandomState(0)).any()


def test_same_seed_same_pair_other_seed_other_pair(picture):
    first, again, other = (misalign(picture, "medium", seed) for seed in (1, 1, 2))
    assert torch.equal(first["deformed"], again["deformed"])
    assert not torch.equal(first["deformed"], other["deformed"])


def test_an_item_gets_no_common_pose(picture):
    item = misalign(picture, "large", seed=4)
    assert torch.equal(item["fixed"], picture)
    torch.testing.assert_close(item["aligned"], picture, atol=1e-4, rtol=0)


def test_outside_the_frame_is_black():
    item = misalign(torch.ones(1, SIZE, SIZE), "large", seed=2)
    assert item["deformed"].min() == 0 and item["aligned"].min() == pytest.approx(1, abs=1e-5)


def test_unknown_level_is_refused(picture):
    with pytest.raises(KeyError, match="huge"):
        misalign(picture, "huge")


@pytest.mark.parametrize("pose", [0.0, 30.0])
def test_a_batch_gives_what_its_items_give(picture, pose):
    levels, size, random = list(LEVELS), (64, 80), torch.Generator().manual_seed(0)
    drawn = [
        draw_on_device.draw(
            Spread([level], pose=pose, pose_elastic=4.0), torch.tensor([k]), size, random
        )
        for k, level in enumerate(levels)
    ]
    fixed = torch.stack([picture[:, k : k + 64, 60:140] for k in (60, 70, 80, 90)])
    moving, labels = 1 - fixed.expand(-1, 3, -1, -1), (fixed * 5).round()
    names = ("elastic", "matrix") + (("shape", "pose") if pose else ())
    maps = Maps(*(torch.cat([getattr(one, name) for one in drawn]) for name in names))
    batch = misaligned(maps, fixed, moving, labels)
    for k, one in enumerate(drawn):
        item = misaligned(one, fixed[k, None], moving[k, None], labels[k, None])
        for key, value in item.items():
            tolerance = 0.01 if key == "ddf" else 1e-4  # its iteration stops for all at once
            torch.testing.assert_close(batch[key][k, None], value, atol=tolerance, rtol=0)


def test_pictures_are_those_of_monai(picture):
    large = torch.tensor([list(LEVELS).index("large")])
    spread, random = Spread(["large"], pose=30.0), torch.Generator().manual_seed(1)
    maps = draw_on_device.draw(spread, large, (SIZE, SIZE), random)
    labels = (picture * 5).round()
    found = misaligned(maps, picture[None], picture[None], labels[None])
    posed, displaced = maps.sources()
    for image, mode, keys in (
        (picture, "bilinear", ("aligned", "deformed")),
        (labels, "nearest", ("labels", "deformed_labels")),
    ):
        for key, displacement in zip(keys, (posed, displaced), strict=True):
            assert torch.equal(found[key], Warp(mode, "zeros")(image[None], displacement))
