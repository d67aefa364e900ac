"""Results in voxels of another size, by a registration that does not depend on it."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.api import Result
from bundle.errors import InputError
from bundle.fusion import fuse
from bundle.geometry.grid import at_resolution
from bundle.geometry.slices import from_slices
from bundle.images.pair import read_pair
from bundle.options import options_of
from bundle.registration import register
from bundle.registration.output_grid import coarsened
from tests.inference.images import blob, smooth, write_volume
from tests.inference.stubs import KnownField

FIELD = {"init": "header", "plane": "axial", "guard": False, "modality": "CT"}


@pytest.fixture
def files(tmp_path):
    """Oblique volumes of 36 x 48 x 60 mm."""
    fixed = write_volume(tmp_path / "f.nii.gz", 0.1 * blob() + smooth((20, 40, 40)), "RAS")
    return fixed, write_volume(tmp_path / "m.nii.gz", blob(), "PIR")


def registered(files, **given):
    asked = options_of(**FIELD, **given)
    network = KnownField()
    return fuse(register(read_pair(*files, asked), network, asked), network), asked


def middle(image):
    return image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])


@pytest.mark.parametrize("size", [0.7, 1.0, 2.5, 7.0])
def test_the_grid_covers_the_volume_about_its_middle(size, files):
    own = sitk.ReadImage(str(files[0]))
    grid = at_resolution(own, size)
    assert grid.GetSpacing() == (size,) * 3 and grid.GetDirection() == own.GetDirection()
    np.testing.assert_allclose(middle(grid), middle(own), atol=1e-5)
    further = size * np.array(grid.GetSize()) - np.multiply(own.GetSpacing(), own.GetSize())
    assert (further > -1e-4).all() and (further < size).all()


def test_a_volume_in_coarser_voxels_keeps_its_mean_and_loses_its_noise(files):
    own = sitk.ReadImage(str(files[0]), sitk.sitkFloat64)
    noise = sitk.GetImageFromArray(np.random.default_rng(0).standard_normal((20, 40, 40)) + 5)
    noise.CopyInformation(own)
    found = sitk.GetArrayFromImage(coarsened(noise, at_resolution(own, 4.0)))
    assert found.mean() == pytest.approx(5.0, abs=0.05) and found.std() < 0.4
    same = sitk.GetArrayFromImage(coarsened(own, at_resolution(own, 0.9)))
    assert abs(same.mean() - sitk.GetArrayFromImage(own).mean()) < 0.05 * same.std()


def test_results_lie_on_it_and_the_transform_stays(files):
    (plain, _), (found, asked) = registered(files), registered(files, resolution="1.1")
    here = found.registration
    moving = here.pair.moving.image
    result = Result(found, asked)
    for image in (result.fused, result.warped, here.field):
        assert image.GetSpacing() == (1.1, 1.1, 1.1) and min(image.GetSize()) == 33
    point = (-10.0, 30.0, 20.0)
    there = plain.registration.transform.TransformPoint(point)
    np.testing.assert_array_equal(here.transform.TransformPoint(point), there)
    expected = sitk.Resample(moving, result.fused, here.transform, sitk.sitkLinear, 0.0)
    away = abs(sitk.GetArrayFromImage(expected) - sitk.GetArrayFromImage(result.warped))
    assert away.mean() < 0.2 and sitk.GetArrayFromImage(expected).max() > 90
    assert here.initial.windows == plain.registration.initial.windows
    assert result.report.mutual_information.after > 0
    fixed = from_slices(here.initial.image[:1], result.fused, here.pair.plane)
    shown = sitk.GetArrayFromImage(fixed), sitk.GetArrayFromImage(result.fused)
    assert (shown[1] >= shown[0] - 1e-6).all()  # the stub's fusion is the maximum


def test_masks_follow_to_the_other_grid(files):
    own = sitk.ReadImage(str(files[0]))
    mask = sitk.Image(own.GetSize(), sitk.sitkUInt8)
    mask.CopyInformation(own)
    mask[15:25, 15:25, 8:12] = 1
    found, _ = registered(files, resolution=1.0, fixed_mask=mask)
    head, counted = found.registration.initial.head, found.registration.counted
    left_out = float((head > 0).sum() - (counted > 0).sum())
    assert left_out == pytest.approx(400 * np.prod(own.GetSpacing()), rel=0.1)


@pytest.mark.parametrize(
    ("size", "shown"), [(2.0, "18 x 25"), (0.01, r"\d+ x \d+")], ids=["coarse", "fine"]
)
def test_too_large_and_too_small_voxels_are_refused(size, shown, files):
    message = rf"f\.nii\.gz: resolution {size:g} gives slices of {shown} pixels; give one"
    with pytest.raises(InputError, match=message):
        read_pair(*files, options_of(resolution=size))


@pytest.mark.parametrize("size", [0, -1, "wide", "nan"])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(InputError, match=rf"^resolution {size}: give the side of a voxel in mm"):
        options_of(resolution=size)
