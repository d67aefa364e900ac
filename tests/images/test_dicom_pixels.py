"""The pixels of DICOM files: frames, compression, units, and files that end too soon."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.dicom import volume_of
from tests.images.test_dicom import array_of, read, rewrite, series_of, write_series


def enhance(file, _):
    """Move geometry and rescale to where enhanced MR has them."""

    def group(**values):
        inner = pydicom.Dataset()
        inner.update(values)
        return pydicom.Sequence([inner])

    frame, shared = pydicom.Dataset(), pydicom.Dataset()
    frame.PlanePositionSequence = group(ImagePositionPatient=file.ImagePositionPatient)
    shared.PlaneOrientationSequence = group(ImageOrientationPatient=file.ImageOrientationPatient)
    shared.PixelMeasuresSequence = group(PixelSpacing=file.PixelSpacing, SliceThickness="2.5")
    shared.PixelValueTransformationSequence = group(
        RescaleSlope="2", RescaleIntercept="5", RescaleType="US"
    )
    file.PerFrameFunctionalGroupsSequence = pydicom.Sequence([frame])
    file.SharedFunctionalGroupsSequence = pydicom.Sequence([shared])
    file.NumberOfFrames = 1
    file.SOPClassUID = file.file_meta.MediaStorageSOPClassUID = pydicom.uid.EnhancedMRImageStorage
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del file[keyword]
    del file.RescaleSlope, file.RescaleIntercept


def test_enhanced_files_of_one_frame_each_are_a_series(tmp_path):
    folder = rewrite(write_series(tmp_path / "mr", [0.0, 2.5, 5.0], "MR"), enhance)
    series = series_of(folder)
    assert (
        "PixelSpacing" not in series.slices[0] and "Enhanced" in series.slices[0].SOPClassUID.name
    )
    expected = sitk.ReadImage(str(folder / "1.2.3.4_001.dcm"))
    image = volume_of(series).image
    assert image.GetSize() == (10, 12, 3)
    np.testing.assert_allclose(image.GetSpacing(), (1.5, 1.5, 2.5))
    np.testing.assert_allclose(image.GetOrigin(), (-7, -9, 0))
    np.testing.assert_allclose(image.GetDirection(), expected.GetDirection())
    assert (sitk.GetArrayFromImage(image)[1] == sitk.GetArrayFromImage(expected)[0]).all()


@pytest.mark.parametrize("compressor", [None, "JPEG", "JPEG2000"])
@pytest.mark.parametrize(
    ("modality", "rescale"),
    [("PT", {}), ("CT", {}), ("CT", {"0028|1052": "-1024", "0028|1053": "2"})],
)
def test_pictures_shown_inverted_keep_their_units(modality, rescale, compressor, tmp_path):
    other = {} if compressor is None else {"compressor": compressor}
    folder = write_series(tmp_path / "white", [0.0, 2.0, 4.0], modality, more=rescale, **other)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b"MONOCHROME2", b"MONOCHROME1"))
    assert array_of(folder)[:, 0, 0].tolist() == [-500, -490, -480]


def test_every_slice_has_its_own_rescale(tmp_path):
    def change(file, number):
        file.RescaleSlope, file.RescaleIntercept = number + 0.5, -number

    folder = rewrite(write_series(tmp_path / "pt", [0.0, 2.0, 4.0], "PT"), change)
    assert array_of(folder)[:, 0, 0].tolist() == [-250, -490 * 1.5 - 1, -480 * 2.5 - 2]


@pytest.mark.parametrize(("high", "signed"), [(11, 0), (11, 1), (15, 0), (15, 1)])
def test_overlays_in_spare_bits_are_no_values(high, signed, tmp_path):
    values = np.arange(120).reshape(12, 10) - 60 * signed
    shift = high - 11

    def change(file, number):
        file.BitsStored, file.HighBit, file.PixelRepresentation = 12, high, signed
        overlay = 0xF000 if shift == 0 else 0x000F
        stored = (((values + number) & 0xFFF) << shift) | overlay
        file.PixelData = stored.astype("<u2").tobytes()

    folder = rewrite(write_series(tmp_path / "bits", [0.0, 2.0]), change)
    assert (array_of(folder) == [values, values + 1]).all()


def test_colours_are_refused(tmp_path):
    def change(file, _):
        file.SamplesPerPixel, file.PhotometricInterpretation = 3, "RGB"

    folder = rewrite(write_series(tmp_path / "rgb", [0.0, 2.0]), change)
    with pytest.raises(InputError, match=r"1\.2\.3\.4_000\.dcm: holds a colour picture"):
        read(folder)


@pytest.mark.parametrize("compressor", [None, "JPEG", "JPEG2000"])
def test_a_file_that_is_cut_short_is_named(compressor, tmp_path):
    other = {} if compressor is None else {"compressor": compressor}
    folder = write_series(tmp_path / "cut", [0.0, 2.0, 4.0], **other)
    path = folder / "1.2.3.4_001.dcm"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(InputError, match=r"1\.2\.3\.4_001\.dcm: ") as raised:
        read(folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        (b"\xe0\x7f\x10\x00", "its pixels are damaged"),
        (b"\x28\x00\x10\x00", "cannot be read as DICOM"),  # the number of rows
        (b"\x10\x00\x20\x00", "cannot be read as DICOM"),  # the patient
    ],
)
def test_a_file_that_ends_before_its_pixels_is_named(tag, said, tmp_path):
    folder = write_series(tmp_path / "cut", [0.0, 2.0, 4.0])
    path = folder / "1.2.3.4_002.dcm"
    raw = path.read_bytes()
    path.write_bytes(raw[: raw.index(tag)])
    with pytest.raises(InputError, match=rf"1\.2\.3\.4_002\.dcm: {said}"):
        read(folder)


@pytest.mark.parametrize("slope", [None, "0"])
def test_a_slice_without_the_scale_of_the_others_is_named(slope, tmp_path):
    folder = write_series(tmp_path / "pet", [0.0, 2.0, 4.0], "PT", more={"0028|1053": "2"})

    def change(file, number):
        if number == 1:
            file.RescaleSlope = slope
            file.PixelData = file.PixelData[2:] + b"\1\0"

    rewrite(folder, change)
    with pytest.raises(InputError, match=r"_001\.dcm: lacks the RescaleSlope that other slices"):
        read(folder)


@pytest.mark.parametrize("gone", [["RescaleIntercept"], ["RescaleSlope", "RescaleIntercept"]])
def test_a_slice_without_the_intercept_of_the_others_is_named(gone, tmp_path):
    more = {"0028|1052": "-1024", "0028|1053": "1"}
    folder = write_series(tmp_path / "ct", [0.0, 2.0, 4.0], more=more)

    def change(file, number):
        if number == 1:  # empty as well: its air would be 1024 HU too bright
            for keyword in gone:
                delattr(file, keyword)

    rewrite(folder, change)
    with pytest.raises(InputError, match=r"_001\.dcm: lacks the RescaleIntercept that other sl"):
        read(folder)


def test_slices_that_say_what_others_leave_to_be_understood_are_read(tmp_path):
    def change(file, number):
        if number == 1:
            del file.RescaleSlope, file.RescaleIntercept

    folder = rewrite(write_series(tmp_path / "mr", [0.0, 2.0, 4.0], "MR"), change)
    assert array_of(folder)[:, 0, 0].tolist() == [-500, -490, -480]


def test_units_in_a_table_are_refused(tmp_path):
    def change(file, _):
        table = pydicom.Dataset()
        table.LUTDescriptor = [2, 0, 16]
        table.LUTData = np.array([7, 9], "<u2").tobytes()
        file.ModalityLUTSequence = pydicom.Sequence([table])

    folder = rewrite(write_series(tmp_path / "mr", [0.0, 2.0], "MR"), change)
    with pytest.raises(InputError, match=r"\.dcm: has its units in a table \(ModalityLUTSeq"):
        read(folder)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("high", [11, 13, 15])
def test_all_bits_of_a_value_count_wherever_it_lies(high, signed, packed, tmp_path):
    values = 30 * np.arange(120).reshape(12, 10) - 1800 * signed

    def change(file, _):
        file.BitsStored, file.HighBit, file.PixelRepresentation = 12, high, signed
        file.PixelData = ((values & 0xFFF) << (high - 11)).astype("<u2").tobytes()
        if packed:
            file.compress(pydicom.uid.RLELossless)

    folder = rewrite(write_series(tmp_path / "bits", [0.0, 2.0]), change)
    assert (array_of(folder) == values).all()
