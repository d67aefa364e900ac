"""The registered moving volume as a series: values, geometry, identity, references."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom import Dataset
from pydicom.uid import (
    CTImageStorage,
    MRImageStorage,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
)

from bundle.images.dicom_out.registered import write_registered
from bundle.images.dicom_out.study import study_of
from bundle.images.volume import Volume
from tests.images.dicom_out.volumes import SHAPE, oblique, read_by_gdcm, scan, still

MR = {"PatientID": "P1", "PatientWeight": "60", "FrameOfReferenceUID": "1.2.7"}
PET = {
    "StudyInstanceUID": "1.9",
    "FrameOfReferenceUID": "1.2.8",
    "Units": "BQML",
    "DecayCorrection": "START",
    "PatientWeight": "71.5",
    "SeriesDate": "20200102",
    "SeriesTime": "101112.5",
}


def files(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def write(folder, fixed, moving, modality, warped=None, hounsfield=False, shift=()):
    warped = moving.image if warped is None else warped
    study = study_of(fixed, moving)
    field = still(warped, *shift)
    write_registered(warped, field, folder, study, modality, (0.0, 80.0), hounsfield)
    return files(folder)


@pytest.mark.parametrize("orientation", ["LPS", "PIR", "LAS"])
@pytest.mark.parametrize(
    ("modality", "sop_class", "within"),
    [
        ("CT", CTImageStorage, 0.5),
        ("PET", PositronEmissionTomographyImageStorage, 3000 / 65534),
        ("SPECT", NuclearMedicineImageStorage, 3000 / 65534),
        ("MR", MRImageStorage, 3000 / 65534),
        (None, SecondaryCaptureImageStorage, 3000 / 65534),
    ],
)
def test_values_and_geometry_come_back(modality, sop_class, within, orientation, tmp_path):
    warped = oblique(orientation=orientation) * 3000 - (1000 if modality == "CT" else 0)
    volume = Volume("a", warped)
    written = write(tmp_path / "w", volume, volume, modality, hounsfield=modality == "CT")
    assert {one.SOPClassUID for one in written} == {sop_class}
    back = read_by_gdcm(tmp_path / "w")
    if modality == "SPECT":
        assert len(written) == 1
        back = sitk.ReadImage(str(tmp_path / "w" / "0001.dcm"))
    expected = sitk.DICOMOrient(warped, "LPS") if orientation == "LAS" else warped
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(back, name)(), getattr(expected, name)(), atol=1e-4)
    error = np.abs(sitk.GetArrayFromImage(back) - sitk.GetArrayFromImage(expected))
    assert error.max() <= within * 1.01


def test_whole_numbers_stay_what_they_are(tmp_path):
    fixed, moving = scan(tmp_path / "mr", "MR", **MR), scan(tmp_path / "ct", "CT")
    written = write(tmp_path / "w", fixed, moving, "CT", hounsfield=True)
    assert {str(one.RescaleSlope) + str(one.RescaleIntercept) for one in written} == {"10"}
    assert {one.RescaleType for one in written} == {"HU"}
    pixels = np.stack([one.pixel_array for one in written])
    np.testing.assert_array_equal(pixels, sitk.GetArrayFromImage(moving.image))


def test_a_ct_out_of_range_is_cut_and_not_wrapped(tmp_path):
    volume = Volume("a", oblique() * 2e5 - 1e5)
    written = write(tmp_path / "w", volume, volume, "CT", hounsfield=True)
    pixels = np.stack([one.pixel_array for one in written])
    assert (pixels.min(), pixels.max()) == (-32768, 32767)


def test_empty_slices_of_pet_stay_empty(tmp_path):
    warped = oblique() * 0
    volume = Volume("a", warped)
    written = write(tmp_path / "w", volume, volume, "PET")
    assert not np.stack([one.pixel_array for one in written]).any()
    assert {one.RescaleSlope for one in written} == {1}


def test_patient_study_and_frame_are_the_fixed_ones_what_pet_is_measured_by_the_moving_ones(
    tmp_path,
):
    fixed, moving = scan(tmp_path / "mr", "MR", **MR), scan(tmp_path / "pets", "PT", **PET)
    first = write(tmp_path / "w", fixed, moving, "PET")[0]
    assert (first.PatientID, first.StudyInstanceUID) == ("P1", "1.2")
    assert first.FrameOfReferenceUID == "1.2.7"
    assert (first.Units, first.DecayCorrection) == ("BQML", "START")
    assert (first.SeriesDate, first.SeriesTime) == ("20200102", "101112.5")
    assert first.PatientWeight == 71.5
    assert first.ImageType[0] == "DERIVED"
    codes = [one.CodeValue for one in first.DerivationCodeSequence]
    assert codes == ["113085", "125027"]


def test_another_scans_weight_is_no_weight_of_this_pet(tmp_path):
    fixed, moving = scan(tmp_path / "mr", "MR", **MR), scan(tmp_path / "pets", "PT")
    assert "PatientWeight" not in write(tmp_path / "w", fixed, moving, "PET")[0]


def test_philips_own_factors_are_kept(tmp_path):
    fixed, moving = scan(tmp_path / "mr", "MR", **MR), scan(tmp_path / "pets", "PT", Units="CNTS")
    block = moving.header.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "DS", "0.00025")
    first = write(tmp_path / "w", fixed, moving, "PET")[0]
    kept = first.private_block(0x7053, "Philips PET Private Group")
    assert kept[0x00].value == 0.00025


def test_slices_name_what_they_are_made_from(tmp_path):
    fixed, moving = scan(tmp_path / "mr", "MR", **MR), scan(tmp_path / "ct", "CT")
    step = moving.image.GetSpacing()[2]
    lies = [
        (0.0, [{k} for k in range(SHAPE[2])]),
        (0.5 * step, [{k, k + 1} & set(range(SHAPE[2])) for k in range(SHAPE[2])]),
        (4 * step, [{4}, set(), set(), set(), set()]),
    ]
    for n, (along, expected) in enumerate(lies):
        written = write(tmp_path / f"w{n}", fixed, moving, "CT", shift=(0, 0, along))
        known = {one.uid: k for k, one in enumerate(moving.sources)}
        for k, slice_ in enumerate(written):
            items = slice_.get("SourceImageSequence", [])
            assert {known[item.ReferencedSOPInstanceUID] for item in items} == expected[k]
            (same,) = slice_.ReferencedImageSequence
            assert same.ReferencedSOPInstanceUID == fixed.sources[k].uid


def test_equal_results_are_equal_files_and_others_have_other_uids(tmp_path):
    fixed, moving = scan(tmp_path / "mr", "MR", **MR), scan(tmp_path / "ct", "CT")
    for name in ("a", "b"):
        write(tmp_path / name, fixed, moving, "CT", hounsfield=True)
    contents = [
        [path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in ("a", "b")
    ]
    assert contents[0] == contents[1]
    other = write(tmp_path / "c", fixed, moving, "CT", moving.image + 1, hounsfield=True)
    both = [files(tmp_path / "a"), other]
    for keyword in ("SeriesInstanceUID", "SOPInstanceUID"):
        first, second = ({one[keyword].value for one in series} for series in both)
        assert not first & second
        assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in first | second)
    assert len({one.SOPInstanceUID for one in both[0]}) == SHAPE[2]


def test_nobody_is_named_without_a_series(tmp_path):
    volume, other = Volume("a", oblique()), Volume("b", oblique() + 1)
    first = write(tmp_path / "w", volume, other, "PET")[0]
    assert (first.PatientName, first.PatientID, first.StudyDate) == ("", "", "")
    assert first.Units == "NONE" and first.SeriesDate == "19000101"
    again = write(tmp_path / "v", volume, other, "PET", other.image * 2)[0]
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        assert first[keyword].value == again[keyword].value  # of one fixed image


@pytest.mark.parametrize("width", [0.25, 80.0])
def test_the_window_shows_what_it_is_to_show(width, tmp_path):
    volume = Volume("a", oblique())
    write_registered(
        volume.image, still(volume.image), tmp_path / "w", study_of(volume, volume), "PET",
        (0.0, width),
    )  # fmt: skip
    first = files(tmp_path / "w")[0]
    assert (first.WindowCenter, first.WindowWidth) == (width / 2, width)
    assert first.get("VOILUTFunction") == ("LINEAR_EXACT" if width < 1 else None)


def nested(text):
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C", "SRT", text
    tracer = Dataset()
    tracer.Radiopharmaceutical, tracer.RadiopharmaceuticalCodeSequence = text, [code]
    return [tracer]


@pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO_IR 192"])
def test_texts_in_sequences_are_in_the_character_set_of_the_file(charset, tmp_path):
    text = "Fluorodésoxyglucose"
    tags = {**PET, "RadiopharmaceuticalInformationSequence": nested(text)}
    fixed = scan(tmp_path / "mr", "MR", **MR)
    moving = scan(tmp_path / "pets", "PT", SpecificCharacterSet=charset, **tags)
    first = write(tmp_path / "w", fixed, moving, "PET")[0]
    (tracer,) = first.RadiopharmaceuticalInformationSequence
    assert first.SpecificCharacterSet == "ISO_IR 192" and tracer.Radiopharmaceutical == text
    assert tracer.RadiopharmaceuticalCodeSequence[0].CodeMeaning == text
