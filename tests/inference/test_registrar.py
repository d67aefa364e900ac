import pytest
import torch

from bundle.workflow import ScaledInferer
from bundle.registration.slicewise import resize_field
from tests.inference.stubs import KnownField, known_field


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
    assert ScaledInferer().registration_size(*size) == expected


@pytest.mark.parametrize("size", [(200, 180), (600, 400), (90, 140)])
def test_field_comes_back_in_full_size_voxels(size):
    network = KnownField()
    output = ScaledInferer()(torch.rand(2, 2, *size), network)
    assert output.shape == (2, 3, *size)
    assert network.registered == [ScaledInferer().registration_size(*size)]
    error = (output[:, 1:] - known_field(*size)).abs()
    assert error[..., 3:-3, 3:-3].max() < 0.03
    assert error.max() < 0.2  # the outermost half pixel of the small field is held constant


def test_fusion_is_done_at_full_size():
    image = torch.rand(1, 2, 500, 420, generator=torch.Generator().manual_seed(0))
    network = KnownField()
    output = ScaledInferer()(image, network)
    assert torch.equal(output[:, :1], network.fuse(image, output[:, 1:]))


def test_images_of_the_training_scale_go_straight_through():
    image = torch.rand(1, 2, 200, 300)
    assert torch.equal(ScaledInferer()(image, KnownField()), KnownField()(image))


def test_resized_field_scales_each_axis_by_its_own_ratio():
    ddf = torch.ones(1, 2, 10, 20)
    resized = resize_field(ddf, (30, 20))
    torch.testing.assert_close(resized[:, 0], torch.full((1, 30, 20), 3.0))
    torch.testing.assert_close(resized[:, 1], torch.ones(1, 30, 20))


@pytest.mark.parametrize("slices", [1, 4])
def test_volume_is_its_slices(slices):
    volume = torch.rand(1, 2, 40, 50, 6)
    inferer = ScaledInferer(slices=slices, guard=False)
    output = inferer(volume, KnownField())
    for k in range(6):
        torch.testing.assert_close(output[..., k], inferer(volume[..., k], KnownField()))


class Disagreeing(KnownField):
    """Its two fields lie 1 voxel along rows and 2 along columns on either side of the known one."""

    def all_fields(self, image):
        ddf, apart = self.register(image), torch.tensor([1.0, 2.0]).view(1, 2, 1, 1)
        return {"ddf": ddf, "flows": torch.stack([ddf - apart, ddf + apart], dim=1)}


@pytest.mark.parametrize(("spacing", "squared"), [((2.0, 3.0, 4.0), 2**2 + 6**2), (None, 1 + 2**2)])
def test_the_spread_of_the_fields_is_in_millimetres(spacing, squared):
    steps = None if spacing is None else torch.tensor([spacing])
    inferer = ScaledInferer(keep=(32, 384))
    output = inferer(torch.rand(1, 2, 32, 40, 3), Disagreeing(), spacing=steps)
    torch.testing.assert_close(output[0, 3], torch.full((32, 40, 3), squared**0.5))


def test_a_field_that_lowers_the_mutual_information_is_dropped():
    fixed = torch.zeros(1, 1, 64, 64, 3)
    fixed[..., 20:44, 16:40, :] = 0.8
    volume = torch.cat([fixed, fixed], dim=1)  # aligned: any displacement is wrong
    output = ScaledInferer()(volume, KnownField())
    assert (output[:, 1:] == 0).all()
    torch.testing.assert_close(output[:, :1], fixed)
    assert (ScaledInferer(guard=False)(volume, KnownField())[:, 1:] != 0).any()
