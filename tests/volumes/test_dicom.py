"""DICOM series written by GDCM, good and bad ones."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.workflow.loading import read_side
from bundle.images.dicom import modality_of
from bundle.images.volumes import read_volume, reading_of


def write_series(folder, positions, modality="CT", series="1.2.3.4", tilt=0.0, more=None, **other):
    folder.mkdir(exist_ok=True)
    for number, position in enumerate(positions, start=other.get("first", 0)):
        image = sitk.GetImageFromArray(np.full((1, 12, 10), number * 10 - 500, np.int16))
        image.SetSpacing(other.get("spacing", (1.5, 1.5, 2.0)))
        tags = {
            "0008|0060": modality,
            "0020|000e": series,
            "0020|000d": "1.2.3",
            "0020|0032": f"-7\\{-9 + tilt * position}\\{position}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(number),
            "0028|1052": "0",
            "0028|1053": "1",
            **(more or {}),
        }
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"{series}_{number:03d}.dcm"))
        writer.Execute(image)
    return folder


def test_a_series_keeps_units_and_geometry(tmp_path):
    folder = write_series(tmp_path / "ct", [0.0, 2.5, 5.0, 7.5])
    volume = read_volume(folder)
    assert volume.GetSize() == (10, 12, 4)
    np.testing.assert_allclose(volume.GetSpacing(), (1.5, 1.5, 2.5))
    np.testing.assert_allclose(volume.GetOrigin(), (-7, -9, 0))
    assert sitk.GetArrayFromImage(volume)[:, 0, 0].tolist() == [-500, -490, -480, -470]
    assert modality_of(folder) == "CT"


@pytest.mark.parametrize(
    ("code", "modality"), [("PT", "PET"), ("NM", "SPECT"), ("MR", "MR"), ("US", None)]
)
def test_modality_comes_from_the_header(code, modality, tmp_path):
    assert modality_of(write_series(tmp_path / "s", [0.0, 2.0], code)) == modality


def test_a_missing_slice_is_named(tmp_path):
    folder = write_series(tmp_path / "gap", [0.0, 2.0, 4.0, 8.0, 10.0])
    with pytest.raises(InputError, match=r"gap: the distance after slice 3 is 4\.00 mm"):
        read_volume(folder)


@pytest.mark.parametrize(
    ("more", "what"),
    [({"0020|0037": "1\\0\\0\\0\\0.8\\0.6"}, "orientations"), (None, "pixel sizes")],
)
def test_slices_that_do_not_belong_together_are_refused(more, what, tmp_path):
    folder = write_series(tmp_path / "mixed", [0.0, 2.0, 4.0, 6.0])
    spacing = (3.0, 3.0, 2.0) if more is None else (1.5, 1.5, 2.0)
    write_series(folder, [6.0], more=more, spacing=spacing, first=3)
    with pytest.raises(InputError, match=f"mixed: slices 1 and 4 have different {what}"):
        read_volume(folder)


def test_slices_without_positions_are_refused(tmp_path):
    folder = write_series(tmp_path / "nowhere", [0.0, 2.0])
    for file in folder.iterdir():  # ImagePositionPatient becomes a tag that nobody knows
        position, unknown = b"\x20\x00\x32\x00", b"\x20\x00\x33\x00"
        assert file.read_bytes().count(position) == 1
        file.write_bytes(file.read_bytes().replace(position, unknown))
    with pytest.raises(InputError, match="do not say where the slices lie"):
        read_volume(folder)


def test_one_folder_may_hold_both_images(tmp_path):
    folder = write_series(tmp_path / "both", [0.0, 2.0, 4.0], "MR", series="1.2.3.4")
    write_series(folder, [0.0, 2.0], "PT", series="1.2.3.5")
    data = {"fixed": str(folder), "moving": str(folder), "series": "1.2.3.4, 1.2.3.5"}
    depths = [read_side(data, side).volume.GetSize()[2] for side in ("fixed", "moving")]
    assert depths == [3, 2]
    with pytest.raises(InputError, match=r"both: without the series 1\.2\.3\.6; correct --series"):
        read_side(data | {"series": "1.2.3.4,1.2.3.6"}, "fixed")


@pytest.mark.parametrize(
    ("tilt", "first", "empty"), [(0.75, -9, slice(0, 2)), (-0.75, -12, slice(12, 14))]
)
def test_a_tilted_series_becomes_upright(tilt, first, empty, tmp_path):
    folder = write_series(tmp_path / "tilt", [0.0, 2.0, 4.0], tilt=tilt)
    reading = reading_of(folder)
    assert reading.resampled
    assert reading.notes == ("the gantry was tilted by 36.9 degrees: resampled to a regular grid",)
    volume = reading.volume
    assert volume.GetSize() == (10, 14, 3)  # two rows more: the last slice begins 3 mm away
    np.testing.assert_allclose(volume.GetOrigin(), (-7, first, 0))
    values = sitk.GetArrayFromImage(volume)
    assert values[0, :12].max() == -500 and values[1, 1:13].min() == -490
    assert (values[2, empty] == -500).all()
    assert (np.delete(values[2], empty, axis=0) == -480).all()


def test_uneven_slices_are_interpolated_at_even_places(tmp_path):
    folder = write_series(tmp_path / "uneven", [0.0, 2.0, 4.0, 7.0, 9.0])
    reading = reading_of(folder)
    assert reading.notes == ("the slices are 2.00 to 3.00 mm apart: resampled to a regular grid",)
    column = sitk.GetArrayFromImage(reading.volume)[:, 5, 5]
    np.testing.assert_allclose(column, [-500, -490, -480, -480 + 20 / 3, -465])
    assert reading.volume.GetSpacing() == (1.5, 1.5, 2.0)


def test_slices_that_jump_aside_are_brought_back(tmp_path):
    folder = write_series(tmp_path / "jump", [0.0, 2.0, 4.0, 6.0, 8.0])
    write_series(folder, [4.0], tilt=0.75, more={"0020|0013": "2", "0008|0018": "1.9"})
    (folder / "1.2.3.4_000.dcm").rename(folder / "1.2.3.4_002.dcm")
    write_series(folder, [0.0])
    reading = reading_of(folder)
    assert reading.notes == ("slices are up to 3.0 mm aside: resampled to a regular grid",)


def test_a_file_of_several_frames_is_named_with_a_way_out(tmp_path):
    frames = sitk.Image([12, 10, 4], sitk.sitkInt16)
    frames.SetMetaData("0008|0060", "NM")
    (tmp_path / "nm").mkdir()
    sitk.WriteImage(frames, str(tmp_path / "nm" / "one.dcm"))
    with pytest.raises(InputError, match="several frames in one DICOM file; convert it"):
        reading_of(tmp_path / "nm")


@pytest.mark.parametrize(
    ("modality", "rescale"),
    [("PT", {}), ("CT", {}), ("CT", {"0028|1052": "-1024", "0028|1053": "2"})],
)
def test_pictures_shown_inverted_keep_their_units(modality, rescale, tmp_path):
    folder = write_series(tmp_path / "white", [0.0, 2.0, 4.0], modality, more=rescale)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b"MONOCHROME2", b"MONOCHROME1"))
    values = sitk.GetArrayFromImage(read_volume(folder))
    assert values[:, 0, 0].tolist() == [-500, -490, -480]


def test_several_series_are_listed(tmp_path):
    write_series(tmp_path / "two", [0.0, 2.0], series="1.2.3.4")
    folder = write_series(tmp_path / "two", [0.0, 2.0, 4.0], series="1.2.3.5")
    with pytest.raises(InputError, match=r"holds 2 series: .*1\.2\.3\.5 \(CT, 3 files\); name one"):
        read_volume(folder)
    assert read_volume(folder, series=["1.2.3.5"]).GetSize() == (10, 12, 3)


def test_a_folder_without_dicom_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no DICOM series"):
        read_volume(tmp_path)
