"""Volumes in one file are read right, read with a warning, or refused in one line: geometry and
units come from the file or from the user."""

from __future__ import annotations

import gzip
import struct

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.volumes import read_volume, volume_from
from tests.images.oblique_head import (
    AFFINE,
    HEAD,
    SPACING,
    T1,
    TO_LPS,
    codes,
    require_right,
)


def write_nifti(path, values=T1, affine=AFFINE, change=None, kind=nibabel.Nifti1Image):
    """Write a phantom with sform and qform, then change fields of its header as they are stored."""
    image = kind(values, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    image.header.set_xyzt_units("mm")
    image.to_filename(path)
    return edit(path, change) if change else path


def edit(path, change):
    """Change a stored NIfTI-1 header; the data stay."""
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    header = nibabel.Nifti1Header(raw[:348], "<", check=False)
    change(header.structarr)
    raw = header.binaryblock + raw[348:]
    path.write_bytes(gzip.compress(raw, 1) if path.suffix == ".gz" else raw)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "head.nii"


@pytest.mark.parametrize("name", ["head.nii", "head.nii.gz"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_a_whole_header_is_read_without_a_word(name, kind, tmp_path):
    volume = read_volume(write_nifti(tmp_path / name, kind=kind))
    require_right(volume)
    assert volume.remarks == ()
    if kind is nibabel.Nifti1Image:
        other = sitk.ReadImage(str(tmp_path / name))
        np.testing.assert_allclose(volume.image.GetOrigin(), other.GetOrigin(), atol=1e-3)
        np.testing.assert_allclose(volume.image.GetDirection(), other.GetDirection(), atol=1e-5)


def test_a_file_of_the_other_byte_order_is_the_same(path):
    image = nibabel.Nifti1Image(T1, AFFINE, nibabel.Nifti1Header(endianness=">"))
    image.to_filename(path)
    assert path.read_bytes()[:4] == struct.pack(">i", 348)
    require_right(read_volume(path))


def test_scaled_values_are_scaled_once(path):
    image = nibabel.Nifti1Image(T1, AFFINE)
    image.header.set_slope_inter(0.5, -3)
    image.to_filename(path)
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(read_volume(path).image).T, nibabel.load(path).get_fdata()
    )


@pytest.mark.parametrize("offset", [0, 348])
def test_a_data_offset_that_cannot_be_is_taken_from_the_length(offset, path):
    volume = read_volume(write_nifti(path, change=lambda h: h.__setitem__("vox_offset", offset)))
    require_right(volume)
    assert codes(volume) == ["data_offset"]
    raw = path.read_bytes()
    path.write_bytes(raw[:348] + raw[352:])  # the data do begin at byte 348
    require_right(read_volume(path))
    path.write_bytes(raw[:348] + raw[350:])
    with pytest.raises(InputError, match=r"head\.nii: its data cannot begin where its header says"):
        read_volume(path)


def fields(**values):
    def change(header):
        for name, value in values.items():
            header[name] = value

    return change


def pixdim(*values):
    return lambda header: header["pixdim"].__setitem__(slice(1, 4), values)


def mirrored(header):
    header["srow_x"] *= -1


@pytest.mark.parametrize("sizes", [(0, 0, 0), (2, 2, 0), (-2, 2, 4), (np.nan, 2, 4)])
def test_a_voxel_size_that_is_none_is_that_of_the_sform(sizes, path):
    volume = read_volume(write_nifti(path, change=pixdim(*sizes)))
    require_right(volume)
    assert codes(volume) == ["voxel_size_missing"]


@pytest.mark.parametrize("forms", [{"sform_code": 0}, {"sform_code": 0, "qform_code": 0}])
def test_a_voxel_size_that_nothing_says_is_asked_for(forms, path):
    write_nifti(path, change=pixdim(0, 0, 0))
    edit(path, fields(**forms))
    with pytest.raises(
        InputError, match=r"head\.nii: its pixdim 0, 0, 0 is not a voxel size; .*--spa"
    ):
        read_volume(path)
    volume = read_volume(path, spacing=SPACING)
    assert volume.image.GetSpacing() == pytest.approx(SPACING)
    if len(forms) == 1:
        require_right(volume)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pixdim(2, 2, 5), r"voxel size \(pixdim\) and its sform contradict each other"),
        (mirrored, "disagree on left and right"),
        (fields(xyzt_units=1), "its field of view is 1.6e.05 x 1.92e.05 x 1.6e.05 mm by its"),
        (fields(xyzt_units=3), r"its field of view is 0\.16 x 0\.192 x 0\.16 mm .* 100 to 350 mm"),
        (fields(sform_code=0, pixdim=[1, 1e-20, 2, 4, 1, 1, 1, 1]), "its field of view is 8e-19 x"),
        (fields(xyzt_units=5), r"unit of length is unknown \(xyzt_units 5\)"),
        (fields(quatern_b=3), "has an invalid qform"),
        (fields(quatern_b=np.nan), "has an invalid qform"),
        (fields(sform_code=9), "has an unknown sform_code 9"),
        (fields(srow_z=[0, 0, 0, 0]), "affine that is singular or not finite"),
        (fields(srow_z=[0, 0, np.inf, 0]), "affine that is singular or not finite"),
        (fields(datatype=2), "its datatype and its bitpix contradict"),
        (fields(datatype=2, bitpix=8), "holds more data than its header says"),
        (fields(datatype=8, bitpix=32), "is damaged or cut short"),
        (fields(datatype=7), "has an unknown datatype"),
        (fields(datatype=128, bitpix=24), "several values per voxel"),
        (fields(dim=[3, 80, 96, 39, 1, 1, 1, 1]), "holds more data than its header says"),
        (fields(dim=[3, 80, 96, 0, 1, 1, 1, 1]), "an axis of 0 voxels"),
        (fields(dim=[3, 32767, 32767, 32767, 1, 1, 1, 1]), "has 32767 x 32767 x 32767 voxels"),
        (fields(dim=[0, 80, 96, 40, 1, 1, 1, 1]), "or its header is damaged"),
        (fields(dim=[5, 80, 96, 8, 1, 5, 1, 1]), "has 80 x 96 x 8 x 1 x 5 values"),
        (fields(vox_offset=400), "is damaged or cut short"),
        (fields(vox_offset=np.nan), "cannot begin where its header says"),
        (fields(scl_slope=2, scl_inter=np.nan), "scales its values by what is no number"),
        (fields(magic=b"abc"), "is not what its suffix says"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(change, message, path):
    write_nifti(path, change=change)
    with pytest.raises(InputError, match=rf"^.*head\.nii: .*{message}") as raised:
        read_volume(path)
    assert "\n" not in str(raised.value)


def test_forms_of_two_places_are_told_and_the_sform_counts(path):
    volume = read_volume(write_nifti(path, change=fields(qoffset_x=AFFINE[0, 3] + 7)))
    require_right(volume)
    (remark,) = volume.remarks
    assert remark.code == "forms_disagree" and remark.warning
    assert remark.text == "qform and sform disagree by up to 7.0 mm: the sform is used"


@pytest.mark.parametrize("unit", [("meter", 1000), ("micron", 0.001)])
def test_lengths_in_another_unit_are_lengths_all_the_same(unit, path):
    image = nibabel.Nifti1Image(T1, np.diag([1 / unit[1]] * 3 + [1]) @ AFFINE)
    image.header.set_xyzt_units(unit[0])
    image.to_filename(path)
    require_right(read_volume(path))


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha"])
def test_a_slight_shear_is_straightened_and_a_visible_one_refused(suffix, tmp_path):
    def sheared(by):
        affine = HEAD.affine.copy()
        affine[0, 1] += by * affine[1, 1]
        path = tmp_path / f"head{suffix}"
        if suffix == ".nii":
            image = nibabel.Nifti1Image(T1, affine)
            image.to_filename(path)
        else:
            lps = TO_LPS @ affine
            image = sitk.GetImageFromArray(T1.T)
            steps = np.linalg.norm(lps[:3, :3], axis=0)
            image.SetSpacing(steps.tolist())
            image.SetOrigin(lps[:3, 3].tolist())
            image.SetDirection((lps[:3, :3] / steps).ravel().tolist())
            sitk.WriteImage(image, str(path))
        return path, affine

    path, affine = sheared(5e-4)
    volume = read_volume(path)
    require_right(volume, affine)
    axes = np.reshape(volume.image.GetDirection(), (3, 3))
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    path, _ = sheared(0.02)
    with pytest.raises(InputError, match="the axes of its voxels are not perpendicular"):
        read_volume(path)


def test_the_units_of_an_nrrd_count(tmp_path):
    path = tmp_path / "head.nrrd"
    image = sitk.GetImageFromArray(T1.T)
    image.SetSpacing([size / 1000 for size in SPACING])
    image.SetOrigin((-0.08, -0.09, -0.1))
    sitk.WriteImage(image, str(path))
    raw = path.read_bytes()
    with pytest.raises(
        InputError, match=r"head\.nrrd: its field of view is 0\.16 x 0\.192 x 0\.16"
    ):
        read_volume(path)

    def with_units(*names):
        line = "space units: " + " ".join(f'"{name}"' for name in names)
        path.write_bytes(raw.replace(b"kinds:", line.encode() + b"\nkinds:", 1))

    with_units("m", "m", "m")
    volume = read_volume(path)
    np.testing.assert_allclose(volume.image.GetSpacing(), SPACING)
    np.testing.assert_allclose(volume.image.GetOrigin(), (-80, -90, -100))
    with_units("m", "m", "mm")
    with pytest.raises(InputError, match=r"head\.nrrd: its units of length are m, m, mm; save it"):
        read_volume(path)


def test_a_time_axis_before_an_axis_of_one_counts_frames(path):
    frames = np.stack([T1, 2 * T1], axis=-1)[..., None]
    write_nifti(path, frames)
    with pytest.raises(InputError, match=r"head\.nii: is 4D with 2 frames"):
        read_volume(path)
    require_right(read_volume(path, frame=1), values=2 * T1)
    image = nibabel.Nifti1Image(frames, AFFINE)
    require_right(volume_from(image, "image", 1), values=2 * T1)


@pytest.mark.parametrize("fill", [np.nan, np.inf, -3.4e38, -np.inf, 1e36])
def test_what_stands_for_no_value_is_background(fill, path):
    values = T1.astype(np.float32)
    values[0] = fill
    volume = read_volume(write_nifti(path, values))
    kept = T1.copy()
    kept[0] = T1.min()
    require_right(volume, values=kept)
    assert codes(volume) == ["gaps_filled"]


def test_in_memory_the_answers_are_the_same():
    image = nibabel.Nifti1Image(T1, AFFINE)
    image.set_qform(np.diag([-1, 1, 1, 1]) @ AFFINE, 1)
    with pytest.raises(InputError, match="^image: its qform and its sform disagree"):
        volume_from(image, "image")
    tiny = sitk.GetImageFromArray(T1.T)
    tiny.SetSpacing((0.002, 0.002, 0.004))
    with pytest.raises(InputError, match=r"^image: its field of view is 0\.16 x 0\.192 x 0\.16 mm"):
        volume_from(tiny, "image")
