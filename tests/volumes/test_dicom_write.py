"""The fused volume as a DICOM series, read back by GDCM."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.images.dicom_write import write_series
from bundle.images.volumes import read_volume
from tests.inference.images import smooth, write_volume
from tests.volumes.test_dicom import write_series as write_scan


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR", "LAS"])
def test_geometry_and_values_come_back(orientation, tmp_path):
    values = smooth((5, 40, 36), seed=4)
    volume = read_volume(write_volume(tmp_path / "v.nii.gz", values, orientation))
    write_series(volume, tmp_path / "dicom")
    back = read_volume(tmp_path / "dicom")
    if orientation == "LAS":  # left-handed: no DICOM series can have these axes
        volume = sitk.DICOMOrient(volume, "LPS")
    assert back.GetSize() == volume.GetSize()
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(back, name)(), getattr(volume, name)(), atol=1e-4)
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(back) / 4095, sitk.GetArrayFromImage(volume), atol=2e-4
    )


def test_patient_study_and_frame_are_those_of_the_fixed_series(tmp_path):
    scan = write_scan(tmp_path / "scan", [0.0, 2.0, 4.0])
    template = str(sorted(scan.iterdir())[0])
    fused = sitk.Cast(read_volume(scan) / 1000 + 0.5, sitk.sitkFloat32)
    write_series(fused, tmp_path / "dicom", template)
    headers = []
    for path in sorted((tmp_path / "dicom").iterdir()):
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        headers.append(reader)
    assert {h.GetMetaData("0020|000d") for h in headers} == {"1.2.3"}
    assert len({h.GetMetaData("0020|000e") for h in headers}) == 1
    assert headers[0].GetMetaData("0020|000e") != "1.2.3.4"
    assert len({h.GetMetaData("0008|0018") for h in headers}) == 3
    assert headers[0].GetMetaData("0008|0008").startswith("DERIVED\\SECONDARY")


def header(path):
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader


def test_distance_of_slices_and_what_an_mr_image_must_say(tmp_path):
    volume = read_volume(write_volume(tmp_path / "v.nii.gz", smooth((4, 40, 36)), "LPS"))
    write_series(volume, tmp_path / "dicom")
    first = header(tmp_path / "dicom" / "0001.dcm")
    for tag in ("0018|0050", "0018|0088"):  # thickness and distance, mm
        assert float(first.GetMetaData(tag)) == pytest.approx(volume.GetSpacing()[2])
    assert first.GetMetaData("0018|0020").strip() and first.GetMetaData("0018|0021").strip()
    assert first.GetMetaData("0008|0020").strip() == ""  # no study, so no day of it


@pytest.mark.parametrize(
    ("charset", "codec"), [("ISO_IR 100", "latin-1"), ("ISO_IR 144", "iso8859-5"), ("", "ascii")]
)
def test_names_in_other_character_sets_survive(charset, codec, tmp_path):
    name = {"latin-1": "M\xfcller^J\xfcrgen", "iso8859-5": "\u041b\u044e\u043a"}.get(codec, "Doe^J")
    more = {"0010|0010": "X" * len(name)} | ({"0008|0005": charset} if charset else {})
    scan = write_scan(tmp_path / "scan", [0.0, 2.0, 4.0], more=more)
    template = sorted(scan.iterdir())[0]
    raw = template.read_bytes()
    assert raw.count(b"X" * len(name)) == 1
    template.write_bytes(raw.replace(b"X" * len(name), name.encode(codec)))
    fused = sitk.Cast(read_volume(scan) / 1000 + 0.5, sitk.sitkFloat32)
    write_series(fused, tmp_path / "dicom", str(template))
    written = (tmp_path / "dicom" / "0001.dcm").read_bytes()
    assert name.encode("utf-8") in written and (b"ISO_IR 192" in written) == (codec != "ascii")
