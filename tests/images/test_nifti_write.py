"""RGB24 and scaled 8-bit volumes, read back by nibabel and by ITK."""

import nibabel
import numpy as np
import SimpleITK as sitk

from bundle.images.nifti_write import affine_of, nifti_of, write_rgb
from tests.images.dicom_out.volumes import oblique


def test_colours_are_rgb24_on_the_same_grid(tmp_path):
    grid = oblique(orientation="PIR")
    values = np.random.default_rng(1).integers(0, 256, (*grid.GetSize()[::-1], 3), dtype=np.uint8)
    volume = sitk.GetImageFromArray(values, isVector=True)
    volume.CopyInformation(grid)
    write_rgb(volume, tmp_path / "c.nii.gz")
    found = nibabel.load(tmp_path / "c.nii.gz")
    assert int(found.header["datatype"]) == 128 and int(found.header["bitpix"]) == 24
    assert found.header["qform_code"] == found.header["sform_code"] == 1
    stored = np.asarray(found.dataobj)
    for k, channel in enumerate("RGB"):
        np.testing.assert_array_equal(stored[channel].T, values[..., k])
    back = sitk.ReadImage(str(tmp_path / "c.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back), values)
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(back, name)(), getattr(grid, name)(), atol=1e-5)


def test_the_affine_leads_to_itk_s_points_in_ras():
    grid = oblique(orientation="RAS")
    index = (3, 17, 2)
    point = np.multiply(grid.TransformIndexToPhysicalPoint(index), (-1, -1, 1))
    np.testing.assert_allclose(affine_of(grid) @ (*index, 1), (*point, 1))


def test_eight_bits_stand_for_the_values_of_their_scale():
    stored = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    file = nifti_of(stored, np.diag([2.0, 2.0, 3.0, 1.0]), (0.5, -20.0)).to_bytes()
    found = nibabel.Nifti1Image.from_bytes(file)
    np.testing.assert_allclose(found.get_fdata().T, 0.5 * stored - 20)
    assert len(file) == 352 + stored.size
