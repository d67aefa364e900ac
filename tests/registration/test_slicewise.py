import pytest
import SimpleITK as sitk
import torch

from bundle.fusion.fusion import fuse, fuse_picture
from bundle.geometry.warp import warp
from bundle.images.display import displayed
from bundle.images.pair import read_pair
from bundle.images.picture_pair import PicturePair
from bundle.options import options_of
from bundle.registration import slicewise as module
from bundle.registration.registration import information, register
from bundle.registration.slicewise import (
    match_picture,
    registration_size,
    resize_field,
    slice_fields,
)
from tests.inference.images import smooth
from tests.inference.stubs import KnownField, known_field

NO_HEAD = torch.zeros(1, 1, 1, 1)
"""None is known: the slices are registered whole."""


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((256, 256), (256, 256)),
        ((384, 33), (384, 33)),
        ((100, 160), (100, 160)),
        ((512, 1024), (128, 256)),
        ((2048, 1000), (256, 125)),
        ((2048, 64), (1024, 32)),
        ((2048, 32), (2048, 32)),
        ((64, 32), (256, 128)),
        ((32, 32), (256, 256)),
    ],
)
def test_registration_takes_place_at_the_training_scale(size, expected):
    assert registration_size(*size) == expected


@pytest.mark.parametrize("size", [(200, 180), (600, 400), (90, 140)])
def test_field_comes_back_in_full_size_voxels(size):
    network = KnownField()
    image = torch.rand(2, 2, *size)
    ddf, match = match_picture(image, network)
    assert ddf.shape == (2, 2, *size)
    assert fuse_picture(image, ddf, match, network).shape == (2, 1, *size)
    assert network.registered == [registration_size(*size)]
    error = (ddf - known_field(*size)).abs()
    assert error[..., 3:-3, 3:-3].max() < 0.03
    assert error.max() < 0.2  # the outermost half pixel of the small field is held constant


def test_fusion_is_done_at_full_size():
    image = torch.rand(1, 2, 500, 420, generator=torch.Generator().manual_seed(0))
    network = KnownField()
    ddf, match = match_picture(image, network)
    assert tuple(match.ddf.shape[-2:]) == registration_size(500, 420)
    fused = fuse_picture(image, ddf, match, network)
    torch.testing.assert_close(fused, network.fuse(image, ddf), atol=1e-4, rtol=0)


def test_images_of_the_training_scale_go_straight_through():
    image, network = torch.rand(1, 2, 200, 300), KnownField()
    ddf, match = match_picture(image, network)
    both = torch.cat([fuse_picture(image, ddf, match, network), ddf], dim=1)
    torch.testing.assert_close(both, KnownField()(image), atol=1e-4, rtol=0)


def test_resized_field_scales_each_axis_by_its_own_ratio():
    ddf = torch.ones(1, 2, 10, 20)
    resized = resize_field(ddf, (30, 20))
    torch.testing.assert_close(resized[:, 0], torch.full((1, 30, 20), 3.0))
    torch.testing.assert_close(resized[:, 1], torch.ones(1, 30, 20))


@pytest.mark.parametrize("slices", [1, 4])
def test_the_fields_of_a_volume_are_those_of_its_slices(slices, monkeypatch):
    monkeypatch.setattr(module, "SLICES", slices)
    volume = torch.rand(2, 40, 50, 6)
    ddf, spread = slice_fields(volume, NO_HEAD, (1.0, 1.0, 3.0), KnownField(), 4.5)
    assert spread is None
    for k in range(6):
        expected = match_picture(volume[None, ..., k], KnownField())[0][0]
        torch.testing.assert_close(ddf[..., k], expected)


@pytest.mark.parametrize("slices", [1, 4])
def test_the_fusion_of_a_volume_is_that_of_its_warped_slices(slices, monkeypatch):
    monkeypatch.setattr(module, "SLICES", slices)
    asked = options_of(init="none", plane="axial", guard=False)
    volumes = [sitk.GetImageFromArray(smooth((6, 40, 50), seed)) for seed in (1, 2)]
    registration = register(read_pair(*volumes, asked), KnownField(), asked)
    fused = sitk.GetArrayFromImage(fuse(registration, KnownField()).fused)
    vectors = torch.from_numpy(sitk.GetArrayFromImage(registration.field))
    assert vectors[..., 2].abs().max() == 0
    raw, window = sitk.GetArrayFromImage(volumes[1]), registration.initial.windows[1]
    for k in range(6):
        ddf = vectors[k, ..., [1, 0]].movedim(-1, 0)[None]  # voxels of 1 mm
        assert ddf.abs().max() > 0.5
        moving = torch.from_numpy(raw[k])[None, None]
        warped = displayed(warp(moving, ddf, outside=raw.min()), window)[0, 0]
        torch.testing.assert_close(registration.shown[..., k], warped, atol=1e-4, rtol=0)
        image = torch.stack([registration.initial.image[0, ..., k], warped])[None]
        expected = KnownField().fuse(image, torch.zeros_like(image))[0, 0]
        torch.testing.assert_close(torch.from_numpy(fused[k]), expected, atol=1e-4, rtol=0)


class Disagreeing(KnownField):
    """Its two fields lie 1 voxel along rows and 2 along columns on either side of the known one."""

    def register_with_spread(self, image):
        ddf, apart = self.register(image), torch.tensor([1.0, 2.0]).view(1, 2, 1, 1)
        return ddf, apart.abs().expand_as(ddf)


@pytest.mark.parametrize(
    ("spacing", "squared"), [((2.0, 3.0, 4.0), 2**2 + 6**2), ((1.0, 1.0, 3.0), 1 + 2**2)]
)
def test_the_spread_counts_what_is_not_seen_across_slices(spacing, squared, monkeypatch):
    monkeypatch.setattr(module, "KEPT", (32, 384))
    ddf, spread = slice_fields(torch.rand(2, 32, 40, 3), NO_HEAD, spacing, Disagreeing(), 4.5)
    across = torch.stack([ddf[axis] * spacing[axis] for axis in (0, 1)]).square().mean()  # mm^2
    assert across > 0.01
    torch.testing.assert_close(spread[0], (squared + across).sqrt().expand(32, 40, 3))


@pytest.mark.parametrize("plane", ["axial", "auto"])
def test_a_field_that_lowers_the_mutual_information_is_dropped(plane):
    box = torch.zeros(3, 64, 64)
    box[:, 20:44, 16:40] = 0.8
    volume = sitk.GetImageFromArray(box.numpy())
    asked = options_of(init="none", plane=plane)
    pair = read_pair(volume, volume, asked)  # aligned: any displacement is wrong
    found = register(pair, KnownField(), asked)
    assert found.elastic is None and (sitk.GetArrayFromImage(found.field) == 0).all()
    fixed = found.initial.image[:1]
    fused = torch.from_numpy(sitk.GetArrayFromImage(fuse(found, KnownField()).fused))
    torch.testing.assert_close(fused.movedim(0, -1)[None], fixed)
    unguarded = register(pair, KnownField(), asked.model_copy(update={"guard": False}))
    assert unguarded.elastic and (sitk.GetArrayFromImage(unguarded.field) != 0).any()
    assert information(found.initial, unguarded.field) < information(found.initial)


class Wide(KnownField):
    """Its match covers what the picture was padded to, as that of BiMSRec."""

    def match(self, image):
        return super().match(torch.nn.functional.pad(image, [0, 5, 0, 7]))

    def reconstruct(self, image, match):
        assert match.ddf.shape[-2:] == (image.shape[-2] + 7, image.shape[-1] + 5)
        return super().reconstruct(image, match._replace(ddf=match.ddf[..., :-7, :-5]))


def test_a_match_may_be_padded_but_its_field_is_the_picture_s():
    pair = PicturePair(*(255 * torch.rand(1, 200, 180) for _ in "12"))
    found = register(pair, Wide(), options_of())
    assert found.ddf.shape == (2, 200, 180)
    torch.testing.assert_close(found.ddf, known_field(207, 185)[0, :, :200, :180])
    assert fuse(found, Wide()).fused.shape == (1, 200, 180)
