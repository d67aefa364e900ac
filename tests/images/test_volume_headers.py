"""Headers of volumes: what they leave unsaid, and what contradicts itself."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.volumes import read_volume
from tests.images.test_volumes import odd, scan
from tests.inference.images import blob, smooth, write_volume


@pytest.mark.parametrize(
    ("name", "start", "missing"),
    [
        ("v.nrrd", "space", ["orientation_missing"]),
        ("v.mha", "ElementSpacing", []),
        ("v.mha", "TransformMatrix", ["orientation_missing"]),
    ],
)
def test_what_a_header_leaves_unsaid_is_asked_for_or_told(name, start, missing, tmp_path):
    path = tmp_path / name
    sitk.WriteImage(scan(), str(path))
    assert read_volume(path).remarks == ()
    without(path, start)
    if start != "TransformMatrix":
        with pytest.raises(InputError, match=rf"{name}: does not say how large .*--spacing X Y Z"):
            read_volume(path)
    volume = read_volume(path, spacing=(16, 15, 12))
    assert [one.code for one in volume.remarks] == missing
    # what the header says comes before what is stated
    stated = (16, 16, 12) if start == "TransformMatrix" else (16, 15, 12)
    assert volume.image.GetSpacing() == stated


def without(path, start):
    """Take the lines out that begin so."""
    lines = path.read_bytes().splitlines(keepends=True)
    left = [line for line in lines if not line.startswith(start.encode())]
    assert len(left) < len(lines)
    path.write_bytes(b"".join(left))


@pytest.mark.parametrize("name", ["shear.nrrd", "shear.mha"])
def test_sheared_axes_are_refused(name, tmp_path):
    volume = scan()
    volume.SetDirection((1, 0.2, 0, 0, 1, 0, 0, 0, 1))
    sitk.WriteImage(volume, str(tmp_path / name))
    with pytest.raises(InputError, match=f"{name}: the axes of its voxels are not perpendicular"):
        read_volume(tmp_path / name)


def test_a_metaimage_header_may_have_empty_lines(tmp_path):
    path = tmp_path / "v.mhd"
    sitk.WriteImage(scan(), str(path))
    path.write_text("\n" + path.read_text(encoding="utf-8").replace("\n", "\n\n", 1))
    assert odd(read_volume(path)) == ()


def test_an_nrrd_without_axes_of_space_says_nothing(tmp_path):
    path = tmp_path / "v.nrrd"
    sitk.WriteImage(scan(), str(path))
    none = path.read_bytes().replace(b"(16,0,0) (0,16,0) (0,0,12)", b"none none none")
    assert b"none none none" in none
    path.write_bytes(none)
    with pytest.raises(InputError, match="does not say how large its voxels are"):
        read_volume(path)


@pytest.mark.parametrize("step", [0.0, np.nan, np.inf])
def test_a_singular_affine_is_named(step, tmp_path):
    values = smooth((5, 40, 36), seed=4)
    header = nibabel.Nifti1Header()
    header.set_data_shape(values.shape)
    header.set_sform(np.diag([1.0, 1.0, step, 1.0]), 1)
    header["qform_code"] = 0
    path = tmp_path / "flat.nii.gz"
    nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), None, header), path)
    with pytest.raises(InputError, match=r"flat\.nii\.gz: has an affine that is singular"):
        read_volume(path)


def test_an_invalid_qform_is_named(tmp_path):
    image = nibabel.Nifti1Image(blob().astype(np.float32), np.eye(4))
    image.header["qform_code"], image.header["quatern_b"] = 1, 3.0
    nibabel.save(image, tmp_path / "v.nii.gz")
    with pytest.raises(InputError, match=r"v\.nii\.gz: has an invalid qform"):
        read_volume(tmp_path / "v.nii.gz")


def test_forms_that_disagree_are_told(tmp_path):
    path = write_volume(tmp_path / "v.nii.gz", blob())
    image = nibabel.load(path)
    assert odd(read_volume(path)) == ()
    affine = image.affine.copy()
    affine[0, 3] += 7.0
    image.set_qform(image.affine, 1)
    image.set_sform(affine, 1)
    nibabel.save(image, path)
    (text,) = odd(read_volume(path))
    assert text.startswith("qform and sform disagree by up to 7.0 mm: the ")


def test_a_header_that_contradicts_itself_is_refused(tmp_path):
    path = write_volume(tmp_path / "v.nii.gz", blob(), spacing=(3.0, 3.0, 4.0))
    image = nibabel.load(path)
    image.set_qform(None, 0)
    image.header.set_zooms((1.0, 1.0, 1.0))  # and the sform says 3, 3 and 4 mm
    nibabel.save(nibabel.Nifti1Image(image.dataobj, None, image.header), path)
    with pytest.raises(InputError, match=r"v\.nii\.gz: its voxel size \(pixdim\) and its sform"):
        read_volume(path)


@pytest.mark.parametrize("unit", ["mm", "meter"])
def test_other_units_contradict_nothing(unit, tmp_path):
    path = write_volume(tmp_path / "v.nii.gz", blob())
    image = nibabel.load(path)
    factor = 0.001 if unit == "meter" else 1.0
    header = nibabel.Nifti1Image(image.dataobj, np.diag([factor] * 3 + [1]) @ image.affine).header
    header.set_xyzt_units(unit)
    nibabel.save(nibabel.Nifti1Image(image.dataobj, None, header), path)
    assert odd(read_volume(path)) == ()


def test_a_header_without_orientation_is_told(tmp_path):
    path = write_volume(tmp_path / "v.nii.gz", blob())
    image = nibabel.load(path)
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nibabel.save(image, path)
    (text,) = odd(read_volume(path))
    assert text.startswith("orientation not stated: left and right are a guess")
