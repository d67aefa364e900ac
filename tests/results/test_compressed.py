"""Volumes and transforms in small files that every reader takes."""

import errno
import resource
import zlib

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from bundle.results.compressed import (
    DIGITS,
    few_digits,
    gzipped,
    write_rounded,
    write_transform,
    write_volume,
)


def volume(values):
    image = sitk.GetImageFromArray(np.asarray(values))
    image.SetSpacing((1.0, 2.0, 3.0))
    image.SetOrigin((-4.0, 5.0, 6.0))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    return image


def test_floating_values_become_multiples_of_a_step():
    values = np.array([[[0.0, 0.1, 0.13, -0.1, 1.0, 0.99]]])
    rounded = few_digits(volume(values), 0.25)
    assert rounded.GetPixelID() == sitk.sitkFloat32
    assert rounded.GetDirection() == volume(values).GetDirection()
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(rounded), [[[0.0, 0.0, 0.25, 0.0, 1.0, 1.0]]]
    )


def test_large_values_keep_eleven_binary_digits():
    values = np.array([[[2047.0, 2049.0, 4097.0, 4099.0, -8197.0]]])
    rounded = sitk.GetArrayFromImage(few_digits(volume(values), 1.0))
    np.testing.assert_array_equal(rounded, [[[2047.0, 2048.0, 4096.0, 4100.0, -8200.0]]])
    values = np.random.default_rng(0).normal(0, 1000, (3, 40, 50)).astype(np.float32)
    error = np.abs(sitk.GetArrayFromImage(few_digits(volume(values), 0.0)) - values)
    assert 0 < (error / np.abs(values)).max() <= 2.0**-DIGITS < 0.0005


def in_16_bits(values, step, folder):
    """What ITK and nibabel read of a volume that was written in 16 bits."""
    write_rounded(volume(values), folder / "r.nii.gz", step)
    read = sitk.ReadImage(str(folder / "r.nii.gz"))
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(read, name)() == getattr(volume(values), name)()
    file = nibabel.load(folder / "r.nii.gz")
    assert file.get_data_dtype() == np.int16
    np.testing.assert_array_equal(file.get_fdata().T, sitk.GetArrayFromImage(read))
    return sitk.GetArrayFromImage(read)


def test_values_become_multiples_of_a_step(tmp_path):
    values = np.array([[[0.0, 0.1, 0.13, -0.1, 1.0, 0.99]]] * 2)
    expected = [[[0.0, 0.0, 0.25, 0.0, 1.0, 1.0]]] * 2
    np.testing.assert_array_equal(in_16_bits(values, 0.25, tmp_path), expected)


@pytest.mark.parametrize("lowest", [-1024.0, 50000.0])
def test_the_step_grows_with_the_range(lowest, tmp_path):
    values = lowest + 4095 * np.random.default_rng(0).random((3, 40, 50))
    values[0, 0, :2] = lowest, lowest + 4095
    error = np.abs(in_16_bits(values, 2.0**-10, tmp_path) - values)
    assert 2.0**-6 < error.max() <= 2.0**-5  # half of 1/16: 4095 / 65534 is just below it


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.uint8])
def test_a_written_volume_is_read_by_all(kind, tmp_path):
    values = (100 * np.random.default_rng(1).random((5, 6, 7))).astype(kind)
    write_volume(volume(values), tmp_path / "a.nii.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]
    read = sitk.ReadImage(str(tmp_path / "a.nii.gz"))
    assert read.GetPixelID() == volume(values).GetPixelID()
    assert read.GetSpacing() == (1.0, 2.0, 3.0) and read.GetOrigin() == (-4.0, 5.0, 6.0)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read), values)
    np.testing.assert_array_equal(nibabel.load(tmp_path / "a.nii.gz").get_fdata().T, values)
    content = (tmp_path / "a.nii.gz").read_bytes()
    member = zlib.decompressobj(31)
    assert len(member.decompress(content)) == 352 + values.nbytes
    assert member.eof and member.unused_data == b""  # one member: some readers stop after it
    write_volume(volume(values), tmp_path / "b.nii.gz")
    assert (tmp_path / "b.nii.gz").read_bytes() == content  # neither name nor time


def test_a_written_field_is_itk_s(tmp_path):
    vectors = np.random.default_rng(2).random((5, 6, 7, 3)).astype(np.float32)
    field = sitk.GetImageFromArray(vectors, isVector=True)
    field.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    write_volume(field, tmp_path / "ddf.nii.gz")
    read = sitk.ReadImage(str(tmp_path / "ddf.nii.gz"), sitk.sitkVectorFloat32)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read), vectors)
    assert nibabel.load(tmp_path / "ddf.nii.gz").header["intent_code"] == 1007  # a vector field


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii"])
def test_a_full_disk_is_noticed(name, tmp_path):
    values = np.random.default_rng(3).random((20, 30, 40)).astype(np.float32)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (1000, values.nbytes // 2):  # stand for a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(OSError) as raised:
                write_volume(volume(values), tmp_path / name)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert raised.value.errno in (errno.EFBIG, errno.ENOSPC)
        assert name == "a.nii" or not (tmp_path / "a.nii").exists()


def test_nothing_plain_is_left_behind(tmp_path):
    with pytest.raises(RuntimeError), gzipped(tmp_path / "a.nii.gz") as plain:
        plain.write_bytes(b"half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_transform_is_read_as_itk_wrote_it_and_smaller(tmp_path):
    rng = np.random.default_rng(4)
    vectors = np.stack([gaussian_filter(rng.random((30, 40, 50)), 3) for _ in range(3)], -1)
    field = sitk.GetImageFromArray(np.round(64 * 20 * vectors) / 64, isVector=True)
    total = sitk.CompositeTransform(
        [sitk.Euler3DTransform((1, 2, 3), 0.1, 0.2, 0.3), sitk.DisplacementFieldTransform(field)]
    )
    write_transform(total, tmp_path / "t.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["t.h5"]
    read = sitk.CompositeTransform(sitk.ReadTransform(str(tmp_path / "t.h5")))
    assert read.GetNumberOfTransforms() == 2
    for k in range(2):
        one, other = total.GetNthTransform(k), read.GetNthTransform(k)
        assert one.GetName() == other.GetName()
        assert one.GetFixedParameters() == other.GetFixedParameters()
        assert one.GetParameters() == other.GetParameters()
    sitk.WriteTransform(total, str(tmp_path / "plain.h5"))
    sizes = [(tmp_path / name).stat().st_size for name in ("t.h5", "plain.h5")]
    assert sizes[0] < sizes[1] / 4
