"""4D images: one frame, their mean, and one frame after the other."""

import tracemalloc

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.each_frame import each_frame
from bundle.images.frames import picked
from bundle.images.pair import read_pair
from bundle.images.volumes import read_volume, volume_from
from bundle.options import options_of
from tests.images.series import dicom_of

SHAPE = (34, 36, 6, 3)
AFFINE = np.array([[-4.0, 0, 0, 60], [0, 4.0, 0, -70], [0, 0, 20.0, -50], [0, 0, 0, 1]])

NRRD = b"""NRRD0005
type: short
dimension: 4
space: right-anterior-superior
sizes: 34 36 6 3
space directions: (-4,0,0) (0,4,0) (0,0,20) none
kinds: domain domain domain list
endian: little
encoding: raw
space origin: (60,-70,-50)

"""
"""As 3D Slicer writes a sequence: the axis of frames has no direction."""


@pytest.fixture
def values():
    return np.random.default_rng(0).integers(0, 2000, SHAPE).astype(np.int16)


@pytest.fixture
def image(values):
    image = nibabel.Nifti1Image(values, AFFINE)
    image.header.set_zooms((4, 4, 20, 150.0))
    image.header.set_xyzt_units("mm", "sec")
    return image


@pytest.fixture(params=[".nii", ".nii.gz", ".nrrd", ".mha", "sitk", "nibabel"])
def source(request, image, tmp_path):
    """The same numbers in each kind of file and in memory."""
    nibabel.save(image, tmp_path / "a.nii")
    if request.param == "nibabel":
        return nibabel.load(tmp_path / "a.nii")
    read = sitk.ReadImage(str(tmp_path / "a.nii"))
    if request.param == "sitk":
        return read
    path = tmp_path / f"b{request.param}"
    if request.param == ".nrrd":
        path.write_bytes(NRRD + np.asarray(image.dataobj).tobytes("F"))
        return path
    nibabel.save(image, path) if ".nii" in path.name else sitk.WriteImage(read, str(path))
    return path


def read(source, frame):
    if hasattr(source, "suffix"):
        return read_volume(source, frame)
    return volume_from(source, "image", frame)


def array(image):
    return sitk.GetArrayFromImage(image).T


def test_the_mean_and_every_frame_of_every_kind(source, image):
    expected = np.asarray(image.dataobj)
    mean = read(source, "mean")
    assert np.allclose(array(mean.image), expected.mean(axis=3), atol=1e-9)
    assert mean.frames.count == 3
    frames = list(each_frame(mean.frames))
    assert len(frames) == 3
    for number, frame in enumerate(frames):
        assert np.array_equal(array(frame), expected[..., number])
        assert np.array_equal(array(read(source, number).image), expected[..., number])
        assert frame.GetOrigin() == mean.image.GetOrigin()
        assert frame.GetDirection() == mean.image.GetDirection()
    with pytest.raises(InputError, match="is 4D with 3 frames; name one of them: --frame 0 to 2, "):
        read(source, None)


def test_the_time_axis(image, tmp_path):
    nibabel.save(image, tmp_path / "a.nii.gz")
    frames = read_volume(tmp_path / "a.nii.gz", 1).frames
    assert (frames.step, frames.unit) == (150.0, "sec")
    image.header.set_xyzt_units("mm", "msec")
    nibabel.save(image, tmp_path / "b.nii")
    assert read_volume(tmp_path / "b.nii", "mean").frames.unit == "msec"


def test_values_are_scaled_as_the_header_says(values, tmp_path):
    nibabel.save(nibabel.Nifti1Image(values, AFFINE), tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[112:120] = np.array([0.5, -3.0], dtype="<f4").tobytes()  # scl_slope, scl_inter
    (tmp_path / "a.nii").write_bytes(content)
    mean = read_volume(tmp_path / "a.nii", "mean")
    expected = 0.5 * values.astype(float) - 3
    assert np.allclose(array(mean.image), expected.mean(axis=3))
    assert np.array_equal(np.stack([array(f) for f in each_frame(mean.frames)], 3), expected)


def test_a_file_without_frames_has_none(tmp_path, values):
    nibabel.save(nibabel.Nifti1Image(values[..., 0], AFFINE), tmp_path / "a.nii")
    assert read_volume(tmp_path / "a.nii", "mean").frames is None


def test_one_frame_at_a_time(tmp_path):
    """Forty frames of 2 MB each are read with some frames in memory."""
    shape = (64, 64, 64, 40)
    zeros = np.zeros(shape, dtype=np.int16)
    nibabel.save(nibabel.Nifti1Image(zeros, np.diag([3.0, 3, 3, 1])), tmp_path / "a.nii.gz")
    frames = read_volume(tmp_path / "a.nii.gz", 0).frames
    del zeros
    tracemalloc.start()
    assert sum(1 for _ in each_frame(frames)) == 40
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 40e6  # 84 MB would be all of them as they are stored


def test_a_dicom_series_of_several_volumes(values, tmp_path):
    (tmp_path / "all").mkdir()
    for number in range(3):
        told = {"TemporalPositionIdentifier": number + 1}
        part = dicom_of(tmp_path / f"{number}", values[..., number], AFFINE, "MR", **told)
        for path in part.iterdir():
            path.rename(tmp_path / "all" / f"{number}_{path.name}")
    mean = read_volume(tmp_path / "all", "mean")
    frames = list(each_frame(mean.frames))
    assert len(frames) == mean.frames.count == 3
    for number, frame in enumerate(frames):
        assert np.array_equal(array(frame), array(read_volume(tmp_path / "all", number).image))
        assert {int(v) for v in np.unique(array(frame))} == set(np.unique(values[..., number]))
    stack = np.stack([array(frame) for frame in frames])
    assert np.allclose(array(mean.image), stack.mean(axis=0))


def test_a_damaged_end_is_told(image, tmp_path):
    nibabel.save(image, tmp_path / "a.nii.gz")
    frames = read_volume(tmp_path / "a.nii.gz", 0).frames
    whole = (tmp_path / "a.nii.gz").read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="a.nii.gz: is damaged or cut short"):
        list(each_frame(frames))


def test_picked_along_any_axis():
    values = np.arange(24.0).reshape(2, 3, 4)
    assert np.array_equal(picked(values, 1, 1), values[:, 1])
    assert np.array_equal(picked(values, "mean", 0), values.mean(axis=0))


@pytest.mark.parametrize("frame", [None, "mean", 1])
def test_a_pair_by_the_mean_or_a_frame(frame, image, tmp_path):
    nibabel.save(image, tmp_path / "pet.nii")
    fixed = nibabel.Nifti1Image(np.asarray(image.dataobj)[..., 0], AFFINE)
    nibabel.save(fixed, tmp_path / "mri.nii")
    files = tmp_path / "mri.nii", tmp_path / "pet.nii"
    pair = read_pair(*files, options_of(modality="PET", frame=frame, apply_to_all_frames=True))
    expected = np.asarray(image.dataobj)
    expected = expected[..., 1] if frame == 1 else expected.mean(axis=3)
    assert np.allclose(array(pair.moving.image), expected)
    with pytest.raises(InputError, match="mri.nii: has one frame; leave out apply_to_all_frames"):
        read_pair(files[0], files[0], options_of(apply_to_all_frames=True))
    for option in ("frame", "fixed_frame"):
        assert read_pair(files[0], files[0], options_of(**{option: 0}))
        with pytest.raises(InputError, match=f"mri.nii: has one frame; leave out {option}$"):
            read_pair(files[0], files[0], options_of(**{option: 1}))
    with pytest.raises(InputError, match="pictures have no frames"):
        picture = np.eye(40, dtype=np.uint8)
        read_pair(picture, picture, options_of(apply_to_all_frames=True))


@pytest.mark.parametrize("value", ["-1", "1.5", "median", True])
def test_what_is_no_frame(value):
    with pytest.raises(InputError, match=r"frame .*: give its number, from 0, or mean"):
        options_of(frame=value)
