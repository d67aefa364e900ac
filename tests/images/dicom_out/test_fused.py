"""The fused volume as a DICOM series, read back by GDCM and by the bundle."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from bundle.images.dicom_out.fused import write_fused
from bundle.images.dicom_out.study import study_of
from bundle.images.volume import Volume
from tests.images.dicom_out.volumes import oblique, read, read_by_gdcm, still
from tests.images.test_dicom import write_series as write_scan


def write_series(volume, folder, fixed=None):
    """Write a fused volume; of no fixed series patient and study are nobody's."""
    fixed = fixed or Volume("fixed", volume)
    moving = Volume("moving", volume)
    write_fused(volume, still(volume), folder, study_of(fixed, moving))


def header(path):
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR", "LAS"])
def test_geometry_and_values_come_back(orientation, tmp_path):
    volume = oblique(orientation=orientation)
    write_series(volume, tmp_path / "dicom")
    if orientation == "LAS":  # left-handed: no DICOM series can have these axes
        volume = sitk.DICOMOrient(volume, "LPS")
    for back in (read_by_gdcm(tmp_path / "dicom"), read(tmp_path / "dicom").image):
        assert back.GetSize() == volume.GetSize()
        for name in ("GetSpacing", "GetOrigin", "GetDirection"):
            np.testing.assert_allclose(getattr(back, name)(), getattr(volume, name)(), atol=1e-4)
        np.testing.assert_allclose(
            sitk.GetArrayFromImage(back) / 4095, sitk.GetArrayFromImage(volume), atol=2e-4
        )


def test_patient_study_and_frame_are_those_of_the_fixed_series(tmp_path):
    more = {"0010|0010": "Doe^J", "0020|0052": "1.2.7", "0010|1010": "042Y"}
    scan = read(write_scan(tmp_path / "scan", [0.0, 2.0, 4.0], more=more))
    write_series(scan.image / 1000 + 0.5, tmp_path / "dicom", scan)
    headers = [header(path) for path in sorted((tmp_path / "dicom").iterdir())]
    for tag, value in {**more, "0020|000d": "1.2.3"}.items():
        assert {h.GetMetaData(tag).strip("\0 ") for h in headers} == {value}
    assert len({h.GetMetaData("0020|000e") for h in headers}) == 1
    assert headers[0].GetMetaData("0020|000e").startswith("2.25.")
    assert len({h.GetMetaData("0008|0018") for h in headers}) == 3
    assert headers[0].GetMetaData("0008|0008").startswith("DERIVED\\SECONDARY")
    assert [int(h.GetMetaData("0020|0013")) for h in headers] == [1, 2, 3]


def test_distance_of_slices_and_what_an_mr_image_must_say(tmp_path):
    volume = oblique()
    write_series(volume, tmp_path / "dicom")
    first = header(tmp_path / "dicom" / "0001.dcm")
    for tag in ("0018|0050", "0018|0088"):  # thickness and distance, mm
        assert float(first.GetMetaData(tag)) == pytest.approx(volume.GetSpacing()[2])
    assert first.GetMetaData("0018|0020").strip() and first.GetMetaData("0018|0021").strip()
    assert float(first.GetMetaData("0028|1050")) == 2047
    assert float(first.GetMetaData("0028|1051")) == 4095
    assert first.GetMetaData("0028|0101") == "12"
    for tag in ("0020|0032", "0020|0037", "0028|0030"):
        assert all(len(n) <= 16 for n in first.GetMetaData(tag).strip().split("\\"))


def test_nobody_is_named_without_a_template(tmp_path):
    write_series(oblique(), tmp_path / "dicom")
    first = header(tmp_path / "dicom" / "0001.dcm")
    for tag in ("0008|0020", "0008|0030", "0010|0010", "0010|0020", "0010|0030", "0008|0090"):
        assert first.GetMetaData(tag).strip() == ""  # no study, so no day of it
    assert first.GetMetaData("0020|000d").startswith("2.25.")
    assert first.GetMetaData("0020|0052").startswith("2.25.")


@pytest.mark.parametrize(
    ("charset", "codec", "name"),
    [
        ("ISO_IR 100", "latin-1", "M\xfcller^J\xfcrgen"),
        ("ISO_IR 144", "iso8859-5", "\u041b\u044e\u043a"),
        ("ISO_IR 192", "utf-8", "M\xfcller^J\u0142"),
        ("\\ISO 2022 IR 87", "iso2022_jp", "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce"),
        ("", "ascii", "Doe^J"),
    ],
)
def test_names_in_other_character_sets_survive(charset, codec, name, tmp_path):
    raw_name = name.encode(codec)
    marked = "X" * len(raw_name)
    more = {"0010|0010": marked, "0008|1030": "a study"}
    more |= {"0008|0005": charset} if charset else {}
    scan = write_scan(tmp_path / "scan", [0.0, 2.0, 4.0], more=more)
    template = sorted(scan.iterdir())[0]
    raw = template.read_bytes()
    assert raw.count(marked.encode()) == 1
    template.write_bytes(raw.replace(marked.encode(), raw_name))
    volume = read(scan)
    write_series(volume.image / 1000 + 0.5, tmp_path / "dicom", volume)
    written = (tmp_path / "dicom" / "0001.dcm").read_bytes()
    assert name.encode("utf-8") in written and b"ISO_IR 192" in written
    assert str(pydicom.dcmread(tmp_path / "dicom" / "0001.dcm").PatientName) == name


def test_what_the_fixed_series_says_against_the_rules_is_copied_all_the_same(tmp_path):
    patient = "1234567890" * 8  # 64 characters are allowed
    scan = write_scan(tmp_path / "scan", [0.0, 2.0], more={"0010|0020": patient})
    rewritten = pydicom.dcmread(scan / "1.2.3.4_000.dcm")
    rewritten["StudyDate"]._value = "12.03.2020"
    rewritten.save_as(scan / "1.2.3.4_000.dcm")
    volume = read(scan)
    write_series(volume.image / 1000 + 0.5, tmp_path / "dicom", volume)
    first = header(tmp_path / "dicom" / "0001.dcm")
    assert first.GetMetaData("0010|0020") == patient
    assert first.GetMetaData("0008|0020") == "12.03.2020"


def test_colours_are_secondary_captures_of_the_same_study(tmp_path):
    grid = oblique(shape=(4, 41, 37))  # an odd number of bytes
    values = np.random.default_rng(2).integers(0, 256, (4, 41, 37, 3), dtype=np.uint8)
    volume = sitk.GetImageFromArray(values, isVector=True)
    volume.CopyInformation(grid)
    write_series(grid, tmp_path / "dicom", Volume("fixed", grid))
    write_series(volume, tmp_path / "dicom_color", Volume("fixed", grid))
    grey, color = (
        [pydicom.dcmread(path) for path in sorted((tmp_path / name).iterdir())]
        for name in ("dicom", "dicom_color")
    )
    for one, other in zip(grey, color, strict=True):
        for name in ("StudyInstanceUID", "FrameOfReferenceUID", "ImagePositionPatient"):
            assert one[name].value == other[name].value
        assert one.SeriesInstanceUID != other.SeriesInstanceUID
        assert other.SOPClassUID == pydicom.uid.SecondaryCaptureImageStorage
        assert other.PhotometricInterpretation == "RGB"
        assert other.PatientOrientation == ["LPH", "PR"]
    np.testing.assert_array_equal(np.stack([one.pixel_array for one in color]), values)
    back = read_by_gdcm(tmp_path / "dicom_color")
    np.testing.assert_allclose(back.GetOrigin(), grid.GetOrigin(), atol=1e-4)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back), values)
