"""DICOM series are read right, read with a warning, or refused in one line, likewise."""

from __future__ import annotations

import struct

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.volumes import read_volume
from tests.images.oblique_head import (
    AFFINE,
    CT,
    SPACING,
    codes,
    require_right,
)
from tests.images.series import dicom_of, rewrite


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """The phantom as a DICOM series."""
    return dicom_of(tmp_path_factory.mktemp("scan") / "ct", CT, AFFINE, "CT")


@pytest.fixture
def scan(scans, tmp_path):
    """A copy that a test may change."""
    for path in scans.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_a_whole_series_is_read_without_a_word(scans):
    volume = read_volume(scans)
    require_right(volume, values=CT)
    assert volume.remarks == () and volume.modality == "CT"


@pytest.mark.parametrize("other", [None, "ImagerPixelSpacing", "NominalScannedPixelSpacing"])
def test_a_pixel_size_that_is_missing_is_asked_for(other, scan):
    def change(file, _):
        if other:
            setattr(file, other, file.PixelSpacing)
        del file.PixelSpacing

    rewrite(scan, change)
    with pytest.raises(
        InputError, match=r"lack the pixel size \(PixelSpacing\); .*--spacing X Y Z"
    ):
        read_volume(scan)
    require_right(read_volume(scan, spacing=SPACING), values=CT)


def test_an_orientation_that_is_missing_is_asked_for(scan):
    def change(file, number):
        del file.ImageOrientationPatient, file.ImagePositionPatient
        file.InstanceNumber = number + 1

    rewrite(scan, change)
    with pytest.raises(
        InputError, match=r"where the slices lie \(ImageOrientationPatient\); .*--sp"
    ):
        read_volume(scan)
    volume = read_volume(scan, spacing=SPACING)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(volume.image).T, CT)
    assert volume.image.GetSpacing() == SPACING
    assert codes(volume) == ["orientation_missing"] and volume.remarks[0].warning


def test_positions_that_are_missing_are_asked_for(scan):
    rewrite(scan, lambda file, _: file.__delattr__("ImagePositionPatient"))
    with pytest.raises(
        InputError, match=r"where the slices lie \(ImagePositionPatient\); .*--spac"
    ):
        read_volume(scan)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ImageOrientationPatient", [1, 0, 0, 0, 1]),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]),
        ("ImageOrientationPatient", [0, 0, 0, 0, 1, 0]),
        ("ImageOrientationPatient", [2, 0, 0, 0, 2, 0]),
        ("PixelSpacing", [0, 2]),
        ("PixelSpacing", [2]),
    ],
)
def test_a_geometry_that_cannot_be_is_named(keyword, value, scan):
    rewrite(scan, lambda file, _: setattr(file, keyword, value))
    with pytest.raises(InputError, match=rf"\.dcm: its {keyword} cannot be used"):
        read_volume(scan)


@pytest.mark.parametrize("value", [0, -4, 40, None])
def test_positions_count_and_not_the_spacing_between_slices(value, scan):
    rewrite(scan, lambda file, _: setattr(file, "SpacingBetweenSlices", value))
    volume = read_volume(scan)
    require_right(volume, values=CT)
    assert volume.remarks == ()


@pytest.mark.parametrize("keyword", ["Rows", "Columns"])
def test_pixels_that_the_header_leaves_out_are_not_left_out(keyword, scan):
    rewrite(scan, lambda file, _: setattr(file, keyword, file[keyword].value - 1))
    with pytest.raises(InputError, match=r"\.dcm: its pixels are damaged"):
        read_volume(scan)


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("EchoTime", [4.6, 11.5]),
        ("ImageType", [["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]]),
        ("TemporalPositionIdentifier", [2, 10]),
    ],
)
def test_volumes_of_one_series_are_told_apart(keyword, values, scan):
    for number, path in enumerate(sorted(scan.iterdir())):
        file = pydicom.dcmread(path)
        setattr(file, keyword, values[0])
        file.save_as(path)
        setattr(file, keyword, values[1])
        file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = f"1.9.{number}"
        file.PixelData = (2 * file.pixel_array).astype("<i2").tobytes()
        file.save_as(scan / f"again_{path.name}")
    message = rf"its series holds 2 volumes, told apart by {keyword} \(0: .*, 1: .*--frame 0 to 1"
    with pytest.raises(InputError, match=message):
        read_volume(scan)
    require_right(read_volume(scan, frame=0), values=CT)
    require_right(read_volume(scan, frame=1), values=2 * CT)


def test_frames_across_midnight_are_in_their_order(scan):
    for path in sorted(scan.iterdir()):
        file = pydicom.dcmread(path)
        file.AcquisitionDate, file.AcquisitionTime = "20200101", "235900"
        file.save_as(path)
        file.AcquisitionDate, file.AcquisitionTime = "20200102", "000100.5"
        file.PixelData = (2 * file.pixel_array).astype("<i2").tobytes()
        file.save_as(scan / f"again_{path.name}")
    require_right(read_volume(scan, frame=0), values=CT)
    require_right(read_volume(scan, frame=1), values=2 * CT)


def test_one_volume_may_lie_in_folders_with_equal_names(scan):
    paths = sorted(scan.iterdir())
    half = len(paths) // 2
    for folder, part in (("S1", paths[:half]), ("S2", paths[half:])):
        (scan / folder).mkdir()
        for number, path in enumerate(part):
            path.rename(scan / folder / f"{number:03d}.dcm")
    require_right(read_volume(scan), values=CT)


def test_frames_in_folders_of_their_own_may_have_equal_names(scan):
    paths = sorted(scan.iterdir())
    for number in (1, 2):
        (scan / str(number)).mkdir()
        for path in paths:
            file = pydicom.dcmread(path)
            file.AcquisitionNumber = number
            file.PixelData = (number * file.pixel_array).astype("<i2").tobytes()
            file.save_as(scan / str(number) / path.name)
    for path in paths:
        path.unlink()
    with pytest.raises(InputError, match=r"2 volumes, told apart by AcquisitionNumber \(0: 1, 1"):
        read_volume(scan)
    require_right(read_volume(scan, frame=1), values=2 * CT)


@pytest.mark.parametrize("shown", ["PALETTE COLOR", "RGB", "YBR_FULL"])
def test_colours_are_no_values(shown, scan):
    rewrite(scan, lambda file, _: setattr(file, "PhotometricInterpretation", shown))
    with pytest.raises(
        InputError, match=r"\.dcm: holds a colour picture; export the series of grey"
    ):
        read_volume(scan)


def test_what_systems_leave_in_a_folder_is_no_slice(scan):
    first = sorted(scan.iterdir())[0]
    for name in (".DS_Store", "Thumbs.db", f"._{first.name}"):
        (scan / name).write_bytes(b"\x00\x05\x16\x07" + 200 * b"\0")
    require_right(read_volume(scan), values=CT)


def test_slices_far_aside_of_each_other_are_no_volume(scan):
    def change(file, number):
        file.ImagePositionPatient = np.add(
            file.ImagePositionPatient, 1000 * number * np.array(file.ImageOrientationPatient[:3])
        ).tolist()

    rewrite(scan, change)
    with pytest.raises(InputError, match="mm, more than they are wide"):
        read_volume(scan)


def test_one_slice_in_a_wrong_place_is_warned_of(scan):
    def change(file, number):
        if number == 20:
            normal = np.cross(file.ImageOrientationPatient[:3], file.ImageOrientationPatient[3:])
            file.ImagePositionPatient = np.add(file.ImagePositionPatient, normal).tolist()

    rewrite(scan, change)
    (remark,) = read_volume(scan).remarks
    assert remark.warning and remark.text.startswith("the slices are 3.00 to 5.00 mm apart")


@pytest.mark.parametrize(
    ("keyword", "code"),
    [("FrameOfReferenceUID", "frames_of_reference"), ("PatientID", "two_persons")],
)
def test_slices_that_may_not_belong_together_are_warned_of(keyword, code, scan):
    rewrite(scan, lambda file, number: setattr(file, keyword, f"1.{2 + number // 30}"))
    volume = read_volume(scan)
    require_right(volume, values=CT)
    (remark,) = volume.remarks
    assert remark.code == code and remark.warning and "1.2" not in remark.text


@pytest.mark.parametrize(
    "tag", [(2, 2), (8, 0x16), (8, 0x18), (8, 0x60), (0x20, 0xE), (0x28, 4), (0x7FE0, 0x10)]
)
@pytest.mark.parametrize("change", ["another kind of value", "two values"])
def test_damage_in_what_tells_series_apart_is_no_exception_of_pydicom(tag, change, scan):
    path = sorted(scan.iterdir())[3]
    raw = bytearray(path.read_bytes())
    start = raw.index(struct.pack("<HH", *tag), 132)
    if change == "two values":
        raw[start + 9 : start + 10] = b"\\"
    else:
        raw[start + 4 : start + 6] = b"Us"
    path.write_bytes(raw)
    try:
        assert read_volume(scan).image.GetSize()[2] > 5
    except InputError as error:
        assert str(error).startswith(str(scan))


@pytest.mark.parametrize(
    ("more", "expected"), [(0, []), (1e-4, [False]), (1e-3, [True]), (9e-3, [True])]
)
def test_directions_that_are_not_quite_perpendicular_are_told(more, expected, scan):
    def skewed(file, _):
        values = [float(value) for value in file.ImageOrientationPatient]
        row, column = np.reshape(values, (2, 3))
        row = row + more * column
        file.ImageOrientationPatient = [*np.round(row / np.linalg.norm(row), 9), *column]

    volume = read_volume(rewrite(scan, skewed))
    assert [one.warning for one in volume.remarks if one.code == "straightened"] == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda file: setattr(file, "RescaleSlope", [2, 3]),
        lambda file: file.add_new("RescaleSlope", "US", 2),
    ],
)
def test_a_scale_that_cannot_be_is_named(change, scan):
    rewrite(scan, lambda file, _: change(file))
    with pytest.raises(InputError, match=r"dcm: its RescaleSlope cannot be used"):
        read_volume(scan)


def test_a_last_slice_that_ends_before_it_says_what_it_is_is_named(scan):
    path = max(scan.iterdir()).rename(scan / "last")
    path.write_bytes(path.read_bytes()[:140])
    with pytest.raises(InputError, match=r"last: cannot be read as DICOM"):
        read_volume(scan)
