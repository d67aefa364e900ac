import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.networks.blocks import Warp

from bundle.geometry.fields import picture_grid, to_itk, write_field
from bundle.geometry.warp import warp


def random_field(height, width, size, seed=0):
    """A field of up to ``size`` voxels that points out of the image in many places."""
    generator = torch.Generator().manual_seed(seed)
    return size * (2 * torch.rand(2, height, width, generator=generator) - 1)


def resample(moving, ddf, outside, tmp_path):
    """Warp with SimpleITK, by way of the file."""
    write_field(to_itk(ddf, picture_grid(*moving.shape)), tmp_path / "ddf.nii.gz")
    field = sitk.ReadImage(str(tmp_path / "ddf.nii.gz"), sitk.sitkVectorFloat64)
    image = sitk.GetImageFromArray(moving.numpy())
    transform = sitk.DisplacementFieldTransform(field)
    return sitk.GetArrayFromImage(sitk.Resample(image, image, transform, sitk.sitkLinear, outside))


def test_warp_moves_by_whole_pixels_in_the_stated_direction():
    moving = torch.arange(12.0).view(1, 1, 3, 4)
    ddf = torch.zeros(1, 2, 3, 4)
    ddf[:, 0], ddf[:, 1] = 1, -2
    expected = [[-7, -7, 4, 5], [-7, -7, 8, 9], [-7, -7, -7, -7]]
    assert warp(moving, ddf, outside=-7.0)[0, 0].tolist() == expected


def test_warp_is_monai_warp_inside_the_image():
    moving = torch.rand(2, 3, 40, 56, generator=torch.Generator().manual_seed(1))
    ddf = torch.stack([random_field(40, 56, 4.0, seed) for seed in (2, 3)])
    ours = warp(moving, ddf)[..., 4:-4, 4:-4]
    monai = Warp(mode="bilinear", padding_mode="zeros")(moving, ddf)[..., 4:-4, 4:-4]
    torch.testing.assert_close(ours.float(), monai, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(40, 56), (64, 33)])
def test_written_field_gives_the_warped_picture_in_itk_up_to_the_rim(height, width, tmp_path):
    moving = 1 + torch.rand(height, width, generator=torch.Generator().manual_seed(1)).double()
    ddf = random_field(height, width, 6.0)
    expected = resample(moving, ddf, -3.0, tmp_path)
    ours = warp(moving[None, None], ddf[None], outside=-3.0)[0, 0].numpy()
    assert 0.02 < (expected == -3.0).mean() < 0.5
    np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize("shift", [-0.5, -0.49, 0.49, 0.5])
def test_half_a_voxel_outside_counts_as_itk_counts_it(shift, tmp_path):
    moving = 1 + torch.arange(48.0).view(6, 8)
    ddf = torch.full((2, 6, 8), shift)
    expected = resample(moving, ddf, -9.0, tmp_path)
    np.testing.assert_allclose(warp(moving[None, None], ddf[None], -9.0)[0, 0], expected, atol=1e-5)


def test_itk_field_of_a_picture_has_x_first_and_pixel_units():
    ddf = torch.zeros(2, 3, 5)
    ddf[0], ddf[1] = 1.0, 2.0
    field = to_itk(ddf, picture_grid(3, 5))
    assert field.GetSize() == (5, 3)
    assert field.GetSpacing() == (1.0, 1.0)
    assert field.GetPixel(4, 2) == (2.0, 1.0)


def test_itk_field_of_a_volume_is_in_millimetres_along_the_volumes_axes():
    grid = sitk.Image([4, 3, 2], sitk.sitkFloat32)
    grid.SetSpacing((0.5, 2.0, 3.0))
    grid.SetDirection((0, -1, 0, 1, 0, 0, 0, 0, 1))  # x runs to +P, y runs to the right
    ddf = torch.zeros(3, 2, 3, 4)
    ddf[0], ddf[1], ddf[2] = 1.0, 10.0, 100.0  # k, i, j
    assert to_itk(ddf, grid).GetPixel(3, 2, 1) == pytest.approx((-20.0, 50.0, 3.0))


def test_field_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"grid's shape \(2, 3, 5\), got \(2, 5, 3\)"):
        to_itk(torch.zeros(2, 5, 3), picture_grid(3, 5))
