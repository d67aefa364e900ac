"""Transforms of whole batches: exact cases, the same statistics as single items, no waiting."""

import math

import pytest
import torch
from monai.networks.blocks import Warp

from bundle.domain import LEVELS
from bundle.geometry.inverse_map import centred_grid, invert
from bundle.transforms.blend import BatchBlend
from bundle.transforms.contrast import BatchContrast, BatchSelfPair, random_curves
from bundle.transforms.cut import BatchCut
from bundle.transforms.draw_on_device import draw, random_affine
from bundle.transforms.maps import Spread
from bundle.transforms.misalign import STEPS, BatchMisalign
from bundle.transforms.noise import BatchNoise

SIZE = 64


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch():
    values = torch.rand(24, 5, 8, 8, generator=generator())
    smooth = torch.nn.functional.interpolate(values, (SIZE, SIZE), mode="bilinear")
    return {"fixed": smooth[:, :1], "moving": smooth[:, 1:], "modality_index": torch.arange(24) % 3}


def misalign(batch, level, seed=0, **arguments):
    return BatchMisalign([level], **arguments)(batch, generator(seed))


@pytest.mark.parametrize("level", ["small", "medium", "large"])
@pytest.mark.parametrize("pose", [0.0, 30.0])
def test_the_field_restores_and_its_mirror_images_do_not(batch, level, pose):
    found = misalign(batch, level, pose=pose, pose_elastic=4.0)
    warp, inner = Warp("bilinear", "zeros"), (..., slice(12, -12), slice(12, -12))
    errors = {
        name: float((warp(found["deformed"], field) - found["aligned"])[inner].abs().mean())
        for name, field in {
            "true": found["ddf"],
            "none": torch.zeros_like(found["ddf"]),
            "negative": -found["ddf"],
            "swapped": found["ddf"].flip(1),
        }.items()
    }
    assert errors["true"] < 0.4 * min(errors[n] for n in ("none", "negative", "swapped"))


@pytest.mark.parametrize(
    ("level", "mean"), [("aligned", 0.0), ("small", 3.7), ("medium", 8.5), ("large", 16.0)]
)
def test_levels_have_the_displacement_of_single_items(batch, level, mean):
    many = {key: value.repeat(10, *(1,) * (value.ndim - 1)) for key, value in batch.items()}
    ddf = misalign(many, level)["ddf"] * 256 / SIZE
    rows, columns = centred_grid((SIZE, SIZE)) * 256 / SIZE
    head = (rows / 100) ** 2 + (columns / 80) ** 2 < 1  # as where single items are measured
    assert float(ddf.norm(dim=1)[:, head].mean()) == pytest.approx(mean, rel=0.1)


def test_a_common_pose_moves_both_pictures(batch):
    found = misalign(batch, "aligned", pose=30.0, pose_elastic=4.0)
    for after, before in (("fixed", "fixed"), ("aligned", "moving")):
        assert ((found[after] - batch[before]).abs().amax(dim=(1, 2, 3)) > 1e-3).all()
    alike = batch | {"moving": batch["fixed"]}
    found = misalign(alike, "medium", pose=180.0, pose_elastic=4.0)
    torch.testing.assert_close(found["fixed"], found["aligned"])


def test_without_pose_pairs_stay_aligned(batch):
    found = misalign(batch, "aligned", pose=0.0, pose_elastic=6.0)
    torch.testing.assert_close(found["aligned"], batch["moving"], atol=1e-4, rtol=0)


def test_aligned_without_pose_is_the_identity(batch):
    found = misalign(batch, "aligned")
    assert not found["ddf"].any()
    torch.testing.assert_close(found["deformed"], batch["moving"], atol=1e-5, rtol=0)


def test_levels_are_drawn_by_their_weights(batch):
    many = {"fixed": torch.zeros(4000, 1, 4, 4), "moving": torch.zeros(4000, 4, 4, 4)}
    transform = BatchMisalign(weights=[1, 2, 3, 4])
    level = transform(many, generator())["level"]
    shares = torch.bincount(level, minlength=4) / len(level)
    torch.testing.assert_close(shares, torch.tensor([0.1, 0.2, 0.3, 0.4]), atol=0.03, rtol=0)


def test_levels_are_named_by_their_place_among_all(batch):
    level = BatchMisalign(["medium", "large"], weights=[3, 1])(batch, generator())["level"]
    assert set(level.tolist()) == {list(LEVELS).index("medium"), list(LEVELS).index("large")}


def test_unknown_level_is_refused():
    with pytest.raises(KeyError, match="huge"):
        BatchMisalign(["huge"])


def test_affine_maps_are_rotation_after_shift_after_scaling():
    ranges = torch.tensor([[90.0], [0.5], [8.0]])
    matrix = random_affine(ranges.expand(3, 200), generator())
    turn = torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0])
    scale = matrix[:, :2, :2].norm(dim=1)
    shift = matrix[:, :2, 2].norm(dim=1)
    assert turn.abs().max() <= math.pi / 2 and turn.abs().mean() == pytest.approx(0.785, rel=0.15)
    assert scale.min() >= 0.5 and scale.max() <= 1.5
    assert shift.max() <= 8 * math.sqrt(2) and shift.max() > 8
    torch.testing.assert_close(matrix[:, 2], torch.tensor([0.0, 0.0, 1.0]).expand(200, 3))


@pytest.mark.parametrize("level", ["medium", "large"])
def test_inverse_in_steps_is_the_inverse(level):
    drawn = torch.full((16,), list(LEVELS).index(level))
    maps = draw(Spread([level]), drawn, (96, 80), generator())
    found = invert(maps.elastic, maps.matrix, STEPS)
    expected = invert(maps.elastic, maps.matrix, tolerance=1e-4)
    assert (found - expected).abs().mean() < 1e-3


def test_curves_are_the_identity_without_strength_and_keep_black(batch):
    images = batch["fixed"]
    same = random_curves(images, torch.zeros(24), generator())
    torch.testing.assert_close(same, images, atol=1e-6, rtol=0)
    curved = random_curves(images * (images > 0.4), torch.ones(24), generator())
    assert (curved[images <= 0.4] == 0).all() and curved.min() >= 0 and curved.max() <= 1
    assert (curved - images).abs().mean() > 0.05


def test_self_pairs_show_the_fixed_picture_in_both(batch):
    found = BatchSelfPair(1.0, (0.0, 0.0))(batch, generator())["moving"]
    torch.testing.assert_close(found[:, :1], batch["fixed"], atol=1e-6, rtol=0)
    torch.testing.assert_close(found[:, 3], found[:, 0])
    assert not found[:, 1:3].any()
    assert torch.equal(BatchSelfPair(0.0)(batch, generator())["moving"], batch["moving"])


def test_contrast_shows_activity_and_windows_ct_only(batch):
    activity = BatchContrast(0.0, activity_prob=1.0, window_prob=0.0, invert_prob=0.0)
    found = activity(batch, generator())["moving"]
    assert torch.equal(found[:, 0], batch["moving"][:, 3]) and not found[:, 1:].any()
    window = BatchContrast(0.0, activity_prob=0.0, window_prob=1.0, invert_prob=0.0)
    found = window(batch, generator())["moving"]
    changed = (found - batch["moving"][:, :3]).abs().amax(dim=(1, 2, 3)) > 0
    assert torch.equal(changed, batch["modality_index"] == 0)


def test_blends_take_both_pictures_from_one_partner_of_the_modality(batch):
    alike = batch | {"moving": batch["fixed"].expand(-1, 4, -1, -1)}
    found = BatchBlend(1.0)(alike, generator())
    torch.testing.assert_close(found["fixed"].expand(-1, 4, -1, -1), found["moving"])
    assert (found["fixed"] - alike["fixed"]).abs().mean() > 0.02
    partners = BatchBlend()._partners(batch["modality_index"], generator())
    assert torch.equal(batch["modality_index"][partners], batch["modality_index"])
    assert (partners != torch.arange(24)).sum() == 24 - 3  # the last of each keeps to itself
    alone = BatchBlend()._partners(torch.zeros(24), generator())
    assert (alone != torch.arange(24)).all()  # of a single modality it takes the first
    assert torch.equal(BatchBlend(0.0)(batch, generator())["fixed"], batch["fixed"])


def test_noise_and_cut_touch_their_share(batch):
    many = {"fixed": torch.zeros(2000, 1, 4, 4), "deformed": torch.zeros(2000, 1, 4, 4)}
    noisy = BatchNoise(prob=0.25, std=0.1)(many, generator())
    assert (noisy["fixed"].abs().amax(dim=(1, 2, 3)) > 0).float().mean() == pytest.approx(
        0.25, abs=0.04
    )
    assert not torch.equal(noisy["fixed"], noisy["deformed"])
    assert torch.equal(BatchCut(0.0)(batch, generator())["moving"], batch["moving"])
    cut = BatchCut(1.0)(batch | {"moving": torch.ones(24, 4, SIZE, SIZE)}, generator())["moving"]
    assert (cut.mean(dim=(1, 2, 3)) < 1).all()


@pytest.mark.parametrize("name", [name for name in LEVELS if name != "aligned"])
def test_no_transform_looks_at_its_numbers(batch, name, monkeypatch):
    """On a meta device there are none: a copy to the CPU, or a branch on a value, would raise."""
    from bundle.transforms import blend, contrast, cut, draw_on_device, noise

    class Meta:
        device = torch.device("meta")

    def drawn(_, shape, *__):
        return torch.empty(*shape, device="meta")

    for module in (blend, contrast, cut, draw_on_device, noise):
        for function in ("uniform", "normal"):
            if hasattr(module, function):
                monkeypatch.setattr(module, function, drawn)
        if hasattr(module, "chosen"):
            monkeypatch.setattr(module, "chosen", lambda _, n, __: drawn(_, (n, 1, 1, 1)) < 0.5)
    batch = {key: value.to("meta") for key, value in batch.items()}
    transforms = [BatchSelfPair(), BatchBlend(), BatchContrast(), BatchCut(),
                  BatchMisalign([name], pose=9.0), BatchNoise()]  # fmt: skip
    for transform in transforms:
        batch = transform(batch, Meta())
    assert all(value.device.type == "meta" for value in batch.values())
