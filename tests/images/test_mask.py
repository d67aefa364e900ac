"""Masks of what is left out: on the grid of their image, whatever the file's axes."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.pair import read_pair
from bundle.options import options_of
from tests.images.oblique_head import AFFINE, T1
from tests.images.series import dicom_of
from tests.inference.images import blob, write_grey, write_volume


@pytest.fixture
def files(tmp_path):
    """An oblique pair, stored in two orientations."""
    return (
        write_volume(tmp_path / "f.nii.gz", blob(), "RAS"),
        write_volume(tmp_path / "m.nii.gz", blob() + 7 * (blob() > 0), "PIR"),
    )


def mask_of(path, like, voxels, orientation=None, value=1):
    """Voxels (x, y, z) of an image marked, stored in its own or another orientation."""
    marked = sitk.Image(like.GetSize(), sitk.sitkUInt8)
    marked.CopyInformation(like)
    for voxel in voxels:
        marked[voxel] = value
    sitk.WriteImage(sitk.DICOMOrient(marked, orientation) if orientation else marked, str(path))
    return path


def read(files, **masks):
    return read_pair(*files, options_of(modality="CT", **masks))


def marked(mask):
    return {
        tuple(int(k) for k in place[::-1]) for place in np.argwhere(sitk.GetArrayFromImage(mask))
    }


@pytest.mark.parametrize("orientation", [None, "LPS", "SRA"])
@pytest.mark.parametrize("value", [1, 7])
def test_what_is_not_0_is_left_out_however_it_is_stored(orientation, value, files, tmp_path):
    places = {(3, 4, 5), (0, 0, 0), (17, 2, 9)}
    for side, file in zip(("fixed", "moving"), files, strict=True):
        image = sitk.ReadImage(str(file))
        path = mask_of(tmp_path / "mask.nii.gz", image, places, orientation, value)
        pair = read(files, **{f"{side}_mask": path})
        mask = dict(zip(("fixed", "moving"), pair.masks, strict=True))
        volume = getattr(pair, side).image
        assert mask[side].GetOrigin() == volume.GetOrigin()
        assert marked(mask[side]) == places
        assert [one for one in mask.values() if one is not None] == [mask[side]]


def test_masks_in_memory(files):
    image = sitk.ReadImage(str(files[0]))
    pair = read(files, fixed_mask=image > 50, moving_mask=None)
    inside = sitk.GetArrayFromImage(image) > 50
    np.testing.assert_array_equal(sitk.GetArrayFromImage(pair.masks[0]) > 0, inside)
    assert pair.masks[1] is None


def test_a_mask_of_a_dicom_series(tmp_path):
    series = dicom_of(tmp_path / "mri", T1, AFFINE, "MR")
    other = dicom_of(tmp_path / "pet", T1, AFFINE, "PT")
    plain = read_pair(series, other, options_of()).fixed.image
    path = mask_of(tmp_path / "mask.nii.gz", plain, {(40, 50, 20)}, "RAS")
    pair = read_pair(series, other, options_of(fixed_mask=path))
    assert marked(pair.masks[0]) == {(40, 50, 20)}


def test_an_empty_mask_is_noted(files, tmp_path):
    path = mask_of(tmp_path / "mask.nii.gz", sitk.ReadImage(str(files[1])), ())
    (remark,) = [one for one in read(files, moving_mask=path).remarks if one.code == "mask_empty"]
    assert not remark.warning and remark.text.startswith("moving mask: is 0 everywhere")


def test_masks_that_cannot_be_used_are_refused_in_one_line(files, tmp_path):
    image = sitk.ReadImage(str(files[0]))
    image.SetOrigin(np.add(image.GetOrigin(), (0.5, 0, 0)).tolist())
    away = mask_of(tmp_path / "away.nii.gz", image, {(1, 1, 1)})
    with pytest.raises(InputError, match=r"away\.nii\.gz: lies on another grid than .*f\.nii\.gz"):
        read(files, fixed_mask=away)
    small = mask_of(tmp_path / "small.nii.gz", image[:, :, :10], {(1, 1, 1)})
    with pytest.raises(InputError, match=r"small\.nii\.gz: lies on another grid than .*m\.nii\.gz"):
        read(files, moving_mask=small)
    with pytest.raises(InputError, match=r"none\.nii\.gz: no such file"):
        read(files, fixed_mask=tmp_path / "none.nii.gz")
    picture = write_grey(tmp_path / "mask.png")
    with pytest.raises(InputError, match=r"mask\.png: is a picture; give the mask as a NIfTI"):
        read(files, fixed_mask=picture)
    with pytest.raises(InputError, match="^fixed_mask 3: give the path of a file, or an image"):
        read(files, fixed_mask=3)
    with pytest.raises(InputError, match=r"away\.nii\.gz: pictures take no masks"):
        read((picture, picture), moving_mask=away)
    with pytest.raises(InputError, match="^moving mask: is a object; give a path"):
        read(files, moving_mask=object())
