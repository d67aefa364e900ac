"""The viewer's volumes: where they lie, what they hold, how large they are."""

import base64
import gzip

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from bundle.results.describe import shown_volumes
from bundle.results.viewer import VOXELS, color_maps, layers, reduction_to


def axial_grid(size, spacing):
    grid = sitk.Image(size, sitk.sitkUInt8)
    grid.SetSpacing(spacing)
    grid.SetOrigin((-40.0, 25.0, 3.0))
    return grid


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 1.3, 3.5)])
def test_a_place_keeps_its_millimetres(spacing):
    head = np.zeros((90, 100, 40), bool)
    head[30:70, 20:90, 5:35] = True
    grid = axial_grid((100, 90, 40), spacing)
    reduce = reduction_to(head, grid)
    rows, columns, slices = np.indices(head.shape).astype(np.float32)
    for values, axis in ((columns, 0), (rows, 1), (slices, 2)):  # of each voxel its own place
        mm = values * spacing[axis] + grid.GetOrigin()[axis]
        small = np.moveaxis(reduce(mm), 0, 2)  # (H', W', D')
        index = np.moveaxis(np.indices(small.shape), 0, -1)[..., [1, 0, 2]]
        found = index @ reduce.affine[:3, :3].T + reduce.affine[:3, 3]
        sign = -1 if axis < 2 else 1  # RAS
        assert np.abs(sign * found[..., axis] - small).max() <= 0.51 * spacing[axis]


def test_only_the_head_is_kept_and_thick_slices_stay():
    head = np.zeros((90, 100, 40), bool)
    head[30:70, 20:90, 5:35] = True
    reduce = reduction_to(head, axial_grid((100, 90, 40), (1.0, 1.0, 4.0)))
    assert [(b.start, b.stop) for b in reduce.box] == [(22, 78), (12, 98), (3, 37)]
    assert reduce.size == (28, 43, 34)
    assert reduction_to(head, axial_grid((100, 90, 40), (9.0, 9.0, 9.0))).size == (42, 72, 32)


def test_voxels_grow_where_there_would_be_too_many():
    head = np.ones((300, 300, 300), bool)
    size = reduction_to(head, axial_grid((300, 300, 300), (1.0, 1.0, 1.0))).size
    assert 0.9 * VOXELS < np.prod(size) <= VOXELS


def test_layers_hold_the_values_in_their_units(ball):
    shown = shown_volumes(ball)
    found = {one.name: one for one in layers(ball, shown, "inferno")}
    names = ["fixed", "start", "warped", "fused", "color", "uncertainty"]
    assert list(found) == names
    volumes = {name: opened(found[name]) for name in names}
    reduce = reduction_to(shown.head, shown.grid)
    warped = 100 + 200 * shown.warped[reduce.box]
    np.testing.assert_allclose(volumes["warped"].get_fdata(), warped.swapaxes(0, 1), atol=0.5)
    np.testing.assert_allclose(volumes["uncertainty"].get_fdata(), 2.0, atol=0.01)
    assert int(volumes["color"].header["datatype"]) == 128
    assert found["warped"].unit == "arbitrary units" and found["warped"].window == (100.0, 300.0)
    whole = (False, False)  # no value lies beyond the window
    both = dict.fromkeys(["fixed", "start", "warped"], (True, True))
    ends = both | {"fused": whole, "color": whole, "uncertainty": (False, True)}
    assert {name: one.clipped for name, one in found.items()} == ends
    point = np.array([22.0, 20.0, 18.0]) * 2 + (-30.0, 20.0, 10.0)  # the ball's middle, LPS
    inside = np.linalg.inv(volumes["fixed"].affine) @ [-point[0], -point[1], point[2], 1]
    bright = np.argwhere(volumes["fixed"].get_fdata() > 0.5)
    np.testing.assert_allclose(bright.mean(axis=0), inside[:3], atol=0.05)


def opened(layer):
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(layer.nifti)))


def test_colour_maps_let_the_mri_through_where_there_is_nothing():
    maps = color_maps(["inferno", "gray"])
    np.testing.assert_allclose(maps["gray"]["G"], maps["gray"]["I"], atol=1)  # 0 to 255
    assert maps["gray"]["I"] == list(range(256))
    assert maps["inferno"]["A"][0] == 0 and set(maps["inferno"]["A"][32:]) == {255}
