"""Volumes of FreeSurfer and Analyze, and NRRD with its numbers in a file of their own."""

import gzip
import tracemalloc

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.volumes import read_volume
from tests.images.oblique_head import AFFINE, SPACING, T1, codes, require_right


def mgz(path, values=T1, change=lambda content: content):
    nibabel.save(nibabel.MGHImage(values, AFFINE), path)
    if path.suffix == ".mgz":
        path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))
    return path


@pytest.mark.parametrize("name", ["t1.mgz", "t1.mgh", "T1.MGZ"])
def test_a_volume_of_freesurfer(name, tmp_path):
    volume = read_volume(mgz(tmp_path / name.lower()).rename(tmp_path / name))
    require_right(volume)
    assert codes(volume) == []


def test_frames_of_freesurfer(tmp_path):
    path = mgz(tmp_path / "t1.mgz", np.stack([T1, 2 * T1], axis=3))
    require_right(read_volume(path, frame=1), values=2 * T1)
    with pytest.raises(InputError, match="is 4D with 2 frames"):
        read_volume(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:5000], "is damaged or cut short"),
        (lambda content: b"text" * 300, "is damaged or cut short"),
        (lambda content: content[:28] + b"\0\0" + content[30:], "does not say where it lies"),
        (lambda content: content[:4] + b"\x7f" * 12 + content[16:], r"t1\.mgz: "),
        (lambda content: b"", "is damaged or cut short"),
        (lambda content: b"\0\0\0\2" + content[4:], "is damaged or cut short"),
        (lambda content: content[:16] + bytes(4) + content[20:], "is damaged or cut short"),
        (lambda content: _claimed(content, 1000), "is damaged or cut short"),
    ],
)
def test_a_volume_of_freesurfer_that_cannot_be_used(change, message, tmp_path, capfd):
    tracemalloc.start()
    with pytest.raises(InputError, match=message) as raised:
        read_volume(mgz(tmp_path / "t1.mgz", change=change))
    assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    tracemalloc.stop()
    assert "\n" not in str(raised.value) and capfd.readouterr().err == ""


def _claimed(content, length):
    """A header that claims so many voxels of 0.25 mm along each axis."""
    sizes = np.array([0.25] * 3, ">f4").tobytes()
    return content[:4] + length.to_bytes(4, "big") * 3 + content[16:30] + sizes + content[42:]


def analyze(path, values=T1, kind=nibabel.Spm2AnalyzeImage, **fields):
    image = kind(values, np.diag([-2.0, 2.0, 4.0, 1.0]))
    for name, value in fields.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("name", ["t1.hdr", "t1.img"])
def test_a_volume_of_analyze_lies_as_analyze_has_it(name, tmp_path):
    analyze(tmp_path / "t1.hdr")
    volume = read_volume(tmp_path / name)
    affine = np.diag([-2.0, 2.0, 4.0, 1.0])  # the columns run to the left, the middle is at 0
    affine[:3, 3] = -affine[:3, :3] @ (np.array(T1.shape) - 1) / 2
    require_right(volume, affine)
    assert codes(volume) == ["orientation_missing"]
    assert volume.remarks[0].warning
    found = nibabel.load(tmp_path / "t1.hdr").affine
    np.testing.assert_allclose(affine[:3, :3], found[:3, :3])  # the same sides


def test_values_of_analyze_are_scaled(tmp_path):
    path = analyze(tmp_path / "t1.hdr")
    with path.open("r+b") as file:
        file.seek(112)
        file.write(np.float32(0.5).tobytes())
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_volume(path).image).T, T1 / 2)


def at(place, content):
    def change(path):
        with path.with_suffix(".hdr").open("r+b") as file:
            file.seek(place)
            file.write(content)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.with_suffix(".img").unlink(), r"t1\.img: no such file; an Analyze"),
        (at(252, b"\2"), "its orient says slices that are not axial"),
        (at(344, b"ni1\0"), "is a NIfTI pair; convert"),
        (at(0, b"text"), "is no header of Analyze"),
        (at(80, bytes(12)), "its pixdim says no voxel size"),
        (at(70, b"\x20\0"), "holds colours or complex numbers"),
        (at(70, b"\x77\7"), "has an unknown datatype"),
        (at(40, b"\2\0"), "is no volume of three axes"),
        (at(42, b"\x7f\1"), r"t1\.(img|hdr): "),
    ],
)
def test_a_volume_of_analyze_that_cannot_be_used(change, message, tmp_path):
    path = analyze(tmp_path / "t1.hdr")
    change(path)
    with pytest.raises(InputError, match=message) as raised:
        read_volume(path)
    assert "\n" not in str(raised.value)


def test_a_size_that_analyze_lacks_can_be_stated(tmp_path):
    path = analyze(tmp_path / "t1.hdr")
    at(80, bytes(12))(path)
    assert read_volume(path, spacing=SPACING).image.GetSpacing() == SPACING


def test_nrrd_with_its_numbers_beside_it(tmp_path):
    image = sitk.GetImageFromArray(np.ascontiguousarray(T1.T))
    image.SetSpacing(SPACING)
    image.SetDirection(sitk.VersorTransform((0.3, -0.5, 1.0), 0.3).GetMatrix())
    sitk.WriteImage(image, str(tmp_path / "t1.nhdr"))
    assert len(list(tmp_path.iterdir())) == 2
    volume = read_volume(tmp_path / "t1.nhdr")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(volume.image), T1.T)
    np.testing.assert_allclose(volume.image.GetDirection(), image.GetDirection(), atol=1e-9)
    next(path for path in tmp_path.iterdir() if path.suffix != ".nhdr").unlink()
    with pytest.raises(InputError, match=r"t1\.\w+"):
        read_volume(tmp_path / "t1.nhdr")
