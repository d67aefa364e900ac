import os

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.geometry.slices import field_from_slices, from_slices, to_slices
from bundle.images.pair import read_pair
from bundle.images.volumes import read_volume
from bundle.options import options_of
from bundle.registration import initialize
from tests.inference.images import blob, smooth, write_volume

ORIENTATIONS = ["LPS", "RAS", "LAS", "PIR", "SLP"]


def scan():
    """An empty volume of 8 x 9 x 10 voxels, as large as a head."""
    image = sitk.Image([8, 9, 10], sitk.sitkFloat32)
    image.SetSpacing((16.0, 16.0, 12.0))
    return image


def odd(volume):
    """What was noticed beside the small field of view of a test's volume."""
    return tuple(one.text for one in volume.remarks if one.code != "small_field_of_view")


def initialized(fixed, moving):
    options = options_of(init="none")
    return initialize(read_pair(fixed, moving, options), options)


@pytest.fixture
def values():
    return smooth((5, 40, 36), seed=4)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_slices_look_the_same_however_the_volume_is_stored(orientation, values, tmp_path):
    volume = read_volume(write_volume(tmp_path / "v.nii.gz", values, orientation)).image
    slices = to_slices(volume)
    np.testing.assert_allclose(slices[0].movedim(-1, 0), values, atol=1e-6)
    back = from_slices(slices, volume)
    assert back.GetOrigin() == volume.GetOrigin()
    assert back.GetDirection() == volume.GetDirection()
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(volume), atol=1e-6
    )


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_field_moves_the_patient_the_same_however_the_volume_is_stored(
    orientation, values, tmp_path
):
    grid = read_volume(write_volume(tmp_path / "v.nii.gz", values, orientation)).image
    ddf = torch.zeros(2, 40, 36, 5)
    ddf[0] = 2.0
    field = field_from_slices(ddf, grid)
    upright = sitk.DICOMOrient(grid, "LPS")
    start, end = (upright.TransformIndexToPhysicalPoint((9, row, 2)) for row in (10, 12))
    vector = field.GetPixel(*grid.TransformPhysicalPointToIndex(start))
    np.testing.assert_allclose(vector, np.subtract(end, start), atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: np.where(values > 0.5, np.nan, values), "holds NaN"),
        (np.zeros_like, "the same value everywhere"),
        (lambda values: values[:, :20], "36 x 20 pixels in axial plane"),
    ],
)
def test_volume_that_cannot_be_registered_is_named(change, message, values, tmp_path):
    path = write_volume(tmp_path / "odd.nii.gz", change(values))
    with pytest.raises(InputError, match=rf"odd\.nii\.gz: .*{message}"):
        read_pair(path, path, options_of())


def test_file_that_is_no_volume_is_named(tmp_path):
    (tmp_path / "text.nii").write_text("nothing")
    with pytest.raises(InputError, match=r"text\.nii: is not what its suffix says"):
        read_volume(tmp_path / "text.nii")


def test_a_file_cut_short_is_named(values, tmp_path):
    whole = write_volume(tmp_path / "whole.nii.gz", values).read_bytes()
    (tmp_path / "short.nii.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"short\.nii\.gz: (is damaged|cannot be read)"):
        read_volume(tmp_path / "short.nii.gz")


def test_a_single_frame_is_taken_as_3d(tmp_path):
    frame = sitk.JoinSeries([scan()])
    sitk.WriteImage(frame, str(tmp_path / "frame.nii.gz"))
    assert read_volume(tmp_path / "frame.nii.gz").image.GetSize() == (8, 9, 10)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_other_formats_are_read(suffix, values, tmp_path):
    nifti = read_volume(write_volume(tmp_path / "v.nii.gz", values, "RAS")).image
    sitk.WriteImage(nifti, str(tmp_path / f"v{suffix}"))
    other = read_volume(tmp_path / f"v{suffix}").image
    np.testing.assert_allclose(other.GetDirection(), nifti.GetDirection(), atol=1e-6)
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(other), sitk.GetArrayFromImage(nifti), atol=1e-6
    )


def test_four_dimensional_volume_is_refused(tmp_path):
    sitk.WriteImage(sitk.JoinSeries([scan()] * 2), str(tmp_path / "four.nii.gz"))
    with pytest.raises(InputError, match=r"four\.nii\.gz: is 4D with 2 frames; name one"):
        read_volume(tmp_path / "four.nii.gz")


def test_a_single_frame_is_the_one_whatever_is_asked_of_the_other_volume(tmp_path):
    frame = sitk.JoinSeries([scan()])
    sitk.WriteImage(frame, str(tmp_path / "frame.mha"))
    assert read_volume(tmp_path / "frame.mha", frame=1).image.GetSize() == (8, 9, 10)


def test_a_frame_is_taken_by_its_number(tmp_path):
    frames = [scan() + k for k in range(3)]
    sitk.WriteImage(sitk.JoinSeries(frames), str(tmp_path / "four.nii.gz"))
    volume = read_volume(tmp_path / "four.nii.gz", frame=2).image
    assert set(sitk.GetArrayFromImage(volume).ravel()) == {2.0}
    with pytest.raises(InputError, match="there is no frame 3; name one of 0 to 2, or mean"):
        read_volume(tmp_path / "four.nii.gz", frame=3)


def test_a_single_slice_is_named(tmp_path):
    sitk.WriteImage(sitk.Image([40, 40, 1], sitk.sitkFloat32), str(tmp_path / "one.nii.gz"))
    with pytest.raises(InputError, match=r"one\.nii\.gz: is a single slice"):
        read_volume(tmp_path / "one.nii.gz")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_nan_in_a_file_of_any_kind_is_told(suffix, tmp_path):
    values = np.pad(blob(), 30).astype(np.float32)  # enough for memory to be given back at once
    values[:, 0] = np.nan
    image = sitk.GetImageFromArray(values)
    sitk.WriteImage(image, str(tmp_path / f"v{suffix}"))
    volume = read_volume(tmp_path / f"v{suffix}")
    assert odd(volume)[-1].startswith("holds NaN or infinite values outside the head")
    kept = np.nan_to_num(values, nan=0.0)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(volume.image), kept)


def test_an_axis_of_one_at_the_end_does_not_matter(tmp_path):
    values = blob().T[..., None]
    values[0] = np.nan
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "v.nii.gz")
    assert read_volume(tmp_path / "v.nii.gz").image.GetSize() == (40, 40, 20)


def test_nan_outside_the_head_is_background(tmp_path):
    values = blob()
    values[:, 0] = np.nan
    volume = read_volume(write_volume(tmp_path / "v.nii.gz", values))
    assert odd(volume) == ("holds NaN or infinite values outside the head: taken as background",)
    assert np.isfinite(sitk.GetArrayFromImage(volume.image)).all()
    values[10, 20, 20] = np.inf
    with pytest.raises(InputError, match="in the head"):
        read_volume(write_volume(tmp_path / "v.nii.gz", values))


def test_complex_numbers_and_wrong_suffixes_are_one_line(tmp_path, capfd):
    affine = np.eye(4)
    nibabel.save(nibabel.Nifti1Image(blob().astype(np.complex64), affine), tmp_path / "c.nii")
    with pytest.raises(InputError, match=r"c\.nii: holds complex numbers"):
        read_volume(tmp_path / "c.nii")
    nibabel.save(nibabel.Nifti1Image(blob().astype(np.float32), affine), tmp_path / "v.nii")
    (tmp_path / "v.nii").rename(tmp_path / "v.nii.gz")
    with pytest.raises(InputError, match=r"v\.nii\.gz: is not what its suffix says"):
        read_volume(tmp_path / "v.nii.gz")
    assert capfd.readouterr().err == ""  # ITK keeps its warnings to itself


def test_volumes_that_hardly_meet_are_refused(tmp_path):
    fixed = write_volume(tmp_path / "f.nii.gz", blob())
    image = sitk.ReadImage(str(fixed))
    corner = image.TransformIndexToPhysicalPoint([n - 2 for n in image.GetSize()])
    image.SetOrigin(corner)
    sitk.WriteImage(image, str(tmp_path / "m.nii.gz"))
    with pytest.raises(InputError, match=r"m\.nii\.gz: .*covers 0.0 % of the fixed head"):
        initialized(fixed, tmp_path / "m.nii.gz")


def test_swapped_volumes_are_told(tmp_path):
    values = 1040.0 * (blob() > 0) - 1000
    values[8:12, 18:22] += 900 * (values[8:12, 18:22] > 0)  # bone
    ct = write_volume(tmp_path / "ct.nii.gz", values)
    mri = write_volume(tmp_path / "mri.nii.gz", blob())
    (remark,) = [one for one in initialized(ct, mri).remarks if one.code == "swapped"]
    assert (
        remark.code == "swapped"
        and remark.warning
        and "are fixed and moving swapped?" in remark.text
    )
    assert not [one for one in initialized(mri, ct).remarks if one.code == "swapped"]


def test_a_moving_volume_with_nothing_in_the_fixed_one_is_named(tmp_path):
    fixed = write_volume(tmp_path / "f.nii.gz", blob())
    values = np.zeros((60, 40, 40))
    values[50:] = 1.0
    moving = write_volume(tmp_path / "m.nii.gz", values)
    volume = sitk.ReadImage(str(moving))
    volume.SetOrigin(sitk.ReadImage(str(fixed)).GetOrigin())
    sitk.WriteImage(volume, str(moving))
    with pytest.raises(InputError, match=r"m\.nii\.gz: has the same value everywhere in the fixed"):
        initialized(fixed, moving)


@pytest.mark.parametrize("name", ["a.nii", "a.nrrd", "a.mha", "a.mgh", "a.dcm", "a.zip"])
def test_a_pipe_is_refused_and_not_waited_for(name, tmp_path):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=rf"{name}: is a pipe or a device; copy what it holds"):
        read_volume(tmp_path / name)


def test_what_is_no_volume_by_its_name_is_refused(tmp_path):
    (tmp_path / "labels.txt").write_text("1 2 3")
    with pytest.raises(InputError, match=r"labels\.txt: is no volume by its name"):
        read_volume(tmp_path / "labels.txt")
