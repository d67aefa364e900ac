"""DICOM series written by GDCM, good and bad ones."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.dicom import holds_series, read_folder, volume_of
from bundle.images.dicom_choice import choose_series

ROOT = Path(__file__).parents[2]


def write_series(folder, positions, modality="CT", series="1.2.3.4", tilt=0.0, more=None, **other):
    folder.mkdir(exist_ok=True)
    for number, position in enumerate(positions, start=other.get("first", 0)):
        shape = other.get("shape", (1, 12, 10))
        image = sitk.GetImageFromArray(np.full(shape, number * 10 - 500, np.int16))
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
        writer.SetImageIO("GDCMImageIO")
        writer.KeepOriginalImageUIDOn()
        if "compressor" in other:
            writer.UseCompressionOn()
            writer.SetCompressor(other["compressor"])
        writer.SetFileName(str(folder / f"{series}_{number:03d}.dcm"))
        writer.Execute(image)
    return folder


def rewrite(folder, change):
    """Change every file of a folder in place."""
    for number, path in enumerate(sorted(folder.iterdir())):
        file = pydicom.dcmread(path)
        change(file, number)
        file.save_as(path)
    return folder


def series_of(folder, *uids):
    return choose_series(folder, read_folder(folder), uids)[0]


def read(folder, *uids):
    return volume_of(series_of(folder, *uids))


def array_of(folder, *uids):
    return sitk.GetArrayFromImage(read(folder, *uids).image)


def texts(volume):
    return tuple(remark.text for remark in volume.remarks)


def test_a_series_keeps_units_and_geometry(tmp_path):
    folder = write_series(tmp_path / "ct", [0.0, 2.5, 5.0, 7.5])
    volume = read(folder)
    assert volume.name == str(folder) and volume.modality == "CT"
    assert not volume.remarks and not volume.resampled
    image = volume.image
    assert image.GetSize() == (10, 12, 4) and image.GetPixelID() == sitk.sitkFloat64
    np.testing.assert_allclose(image.GetSpacing(), (1.5, 1.5, 2.5))
    np.testing.assert_allclose(image.GetOrigin(), (-7, -9, 0))
    assert sitk.GetArrayFromImage(image)[:, 0, 0].tolist() == [-500, -490, -480, -470]


def test_rows_and_columns_are_told_apart(tmp_path):
    oblique = "0\\1\\0\\0\\0\\-1"  # sagittal: the normal is -x
    more = {"0020|0037": oblique}
    write_series(tmp_path / "sagittal", [0.0], spacing=(1.0, 3.0, 2.0), more=more)
    for number, x in enumerate((-5.0, -7.0, -9.0)):
        at = {**more, "0020|0032": f"{x}\\-20\\30"}
        write_series(tmp_path / "sagittal", [0], more=at, spacing=(1.0, 3.0, 2.0), first=number)
    image = read(tmp_path / "sagittal").image
    expected = sitk.ReadImage(str(tmp_path / "sagittal" / "1.2.3.4_000.dcm"))
    np.testing.assert_allclose(image.GetSpacing(), (1.0, 3.0, 2.0))
    np.testing.assert_allclose(image.GetOrigin(), (-5, -20, 30))
    np.testing.assert_allclose(image.GetDirection(), expected.GetDirection(), atol=1e-12)


def test_slices_are_ordered_by_position_and_not_by_name(tmp_path):
    folder = write_series(tmp_path / "down", [6.0, 4.0, 2.0, 0.0])
    assert array_of(folder)[:, 0, 0].tolist() == [-470, -480, -490, -500]
    assert read(folder).image.GetOrigin() == (-7, -9, 0)


@pytest.mark.parametrize(
    ("code", "modality"), [("PT", "PET"), ("NM", "SPECT"), ("MR", "MR"), ("US", None)]
)
def test_modality_comes_from_the_header(code, modality, tmp_path):
    folder = rewrite(
        write_series(tmp_path / "s", [0.0, 2.0]), lambda file, _: setattr(file, "Modality", code)
    )
    assert series_of(folder).modality == modality


OPENS = """
import collections, json, sys
from pathlib import Path
import SimpleITK as sitk
from bundle.images.dicom import read_folder, volume_of
from bundle.images.dicom_choice import choose_series
folder = Path(sys.argv[1])
opens = collections.Counter()
def count(event, args):
    if event == "open" and isinstance(args[0], (str, Path)) and Path(args[0]).parent == folder:
        opens[str(args[0])] += 1
sys.addaudithook(count)
sitk.ImageFileReader = sitk.ImageSeriesReader = sitk.ReadImage = None  # they open unseen
size = volume_of(choose_series(folder, read_folder(folder))[0]).image.GetSize()
print(json.dumps([size, opens]))
"""


def test_every_file_is_opened_once(tmp_path):
    folder = write_series(tmp_path / "many", [2.0 * k for k in range(48)])
    ran = subprocess.run(
        [sys.executable, "-c", OPENS, str(folder)], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    assert ran.returncode == 0, ran.stderr
    size, opens = json.loads(ran.stdout)
    assert size == [10, 12, 48]
    assert opens == {str(path): 1 for path in folder.iterdir()}


def test_what_is_no_image_is_skipped(tmp_path):
    folder = write_series(tmp_path / "ct", [0.0, 2.0, 4.0])
    report = pydicom.dcmread(folder / "1.2.3.4_000.dcm")
    for keyword in ("Rows", "Columns", "PixelData"):
        del report[keyword]
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = pydicom.uid.BasicTextSRStorage
    report.save_as(folder / "report.dcm")
    (folder / "notes.txt").write_text("x" * 300)
    (folder / "empty").touch()
    (folder / ".hidden.dcm").write_bytes((folder / "1.2.3.4_000.dcm").read_bytes())
    write_series(folder / "deeper", [6.0])
    assert len(series_of(folder).slices) == 4  # in folders of it too
    assert holds_series(folder)
    (folder / "deeper" / "1.2.3.4_000.dcm").unlink()
    for path in folder.glob("1.2.*"):
        path.unlink()
    assert read_folder(folder) == {} and not holds_series(folder)
    assert not holds_series(tmp_path / "nowhere")


def test_files_of_old_archives_lack_the_preamble(tmp_path):
    folder = write_series(tmp_path / "old", [0.0, 2.0, 4.0])
    for path in folder.iterdir():
        raw = path.read_bytes()
        length = int.from_bytes(raw[140:144], "little")  # of the file's meta information
        path.write_bytes(raw[144 + length :])
    assert array_of(folder)[:, 0, 0].tolist() == [-500, -490, -480]


def test_the_header_is_small_and_leaves_the_process(tmp_path):
    folder = write_series(tmp_path / "ct", [0.0, 2.0], more={"0010|0010": "Doe^J"})
    rewrite(folder, lambda file, _: file.private_block(0x11, "maker", True).add_new(1, "LO", "x"))
    header = pickle.loads(pickle.dumps(read(folder).header))
    assert str(header.PatientName) == "Doe^J" and header.StudyInstanceUID == "1.2.3"
    assert "PixelData" not in header and not any(tag.is_private for tag in header.keys())  # noqa: SIM118


def test_a_missing_slice_is_named(tmp_path):
    folder = write_series(tmp_path / "gap", [0.0, 2.0, 4.0, 8.0, 10.0])
    with pytest.raises(InputError, match=r"gap: the distance after slice 3 is 4\.00 mm"):
        read(folder)


def test_two_slices_at_one_position_are_refused(tmp_path):
    folder = write_series(tmp_path / "twice", [0.0, 2.0, 4.0, 4.0, 6.0])
    with pytest.raises(InputError, match=r"after slice 3 is 0\.00 mm, .* there twice"):
        read(folder)
    write_series(tmp_path / "same", [1.0, 1.0, 1.0])
    with pytest.raises(InputError, match="a slice is missing or there twice"):
        read(tmp_path / "same")


@pytest.mark.parametrize(
    ("odd", "what"),
    [
        ({"more": {"0020|0037": "1\\0\\0\\0\\0.8\\0.6"}}, "orientations"),
        ({"spacing": (3.0, 3.0, 2.0)}, "pixel sizes"),
        ({"shape": (1, 12, 11)}, "sizes"),
    ],
)
def test_slices_that_do_not_belong_together_are_refused(odd, what, tmp_path):
    folder = write_series(tmp_path / "mixed", [0.0, 2.0, 4.0, 6.0])
    write_series(folder, [6.0], first=3, **odd)
    with pytest.raises(InputError, match=f"mixed: slices 1 and 4 have different {what};"):
        read(folder)


def test_slices_without_positions_are_refused(tmp_path):
    folder = write_series(tmp_path / "nowhere", [0.0, 2.0])
    rewrite(folder, lambda file, _: file.__delattr__("ImagePositionPatient"))
    with pytest.raises(InputError, match="do not say where the slices lie"):
        read(folder)


@pytest.mark.parametrize(
    ("tag", "raw", "keyword"),
    [
        (b"\x20\x00\x32\x00", b"-7\\x9\\0 ", "ImagePositionPatient"),
        (b"\x28\x00\x30\x00", b"-1.5\\1.5", "PixelSpacing"),
        (b"\x28\x00\x53\x10", b"one ", "RescaleSlope"),
    ],
)
def test_numbers_that_are_none_are_named_with_their_file(tag, raw, keyword, tmp_path):
    folder = write_series(tmp_path / "odd", [0.0, 2.0, 4.0])
    path = folder / "1.2.3.4_001.dcm"
    whole = path.read_bytes()
    at = whole.index(tag)
    end = at + 8 + int.from_bytes(whole[at + 4 : at + 8], "little")
    path.write_bytes(whole[: at + 4] + len(raw).to_bytes(4, "little") + raw + whole[end:])
    with pytest.raises(InputError, match=f"1.2.3.4_001.dcm: its {keyword} cannot be used"):
        read(folder)


def test_one_folder_may_hold_both_images(tmp_path):
    folder = write_series(tmp_path / "both", [0.0, 2.0, 4.0], "MR", series="1.2.3.4")
    write_series(folder, [0.0, 2.0], "PT", series="1.2.3.5")
    found = read_folder(folder)
    chosen = [choose_series(folder, found, [uid])[0] for uid in ("1.2.3.4", "1.2.3.5")]
    assert [(one.modality, len(one.slices)) for one in chosen] == [("MR", 3), ("PET", 2)]


def test_several_series_are_listed(tmp_path):
    write_series(tmp_path / "two", [0.0, 2.0], series="1.2.3.4")
    folder = write_series(tmp_path / "two", [0.0, 2.0, 4.0], series="1.2.3.5")
    with pytest.raises(
        InputError, match=r"holds 2 series: .*1\.2\.3\.5 \(CT, 3 slices\); name one"
    ):
        read(folder)
    assert read(folder, "1.2.3.5").image.GetSize() == (10, 12, 3)


def test_a_folder_without_dicom_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no DICOM series"):
        read(tmp_path)
