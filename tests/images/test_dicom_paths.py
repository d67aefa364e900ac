"""DICOM series in folders of folders, on discs, in ZIP files and beside one of their files."""

import os
import shutil
import tracemalloc
import zipfile

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.fileset import FileSet

from bundle.errors import InputError
from bundle.images import dicom_paths
from bundle.images.dicom import read_folder
from bundle.images.dicom_choice import choose_series, series_table
from bundle.images.kinds import is_volume
from bundle.images.volumes import read_volume
from scripts import fuse
from tests.images.series import dicom_of, rewrite
from tests.images.test_volumes import smooth

SHAPE = (40, 36, 24)
SPACING = (4.0, 4.0, 5.0)
AFFINE = np.diag([-4.0, -4.0, 5.0, 1.0])
VALUES = np.round(1000 * smooth(SHAPE[::-1], 3)).astype(np.int16).T


def scan(folder, modality="MR", uid="1.9.1", **tags):
    """A series of 24 slices."""
    tags = {"SeriesInstanceUID": uid, "PatientID": "P", "StudyID": "1", **tags}
    dicom_of(folder, VALUES, AFFINE, modality, **tags)
    return rewrite(folder, lambda file, k: setattr(file, "SOPInstanceUID", f"{uid}.{k + 1}"))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """An MRI, a PET and a localiser, each in a folder of a folder."""
    root = tmp_path_factory.mktemp("disc") / "study"
    scan(root / "a" / "t1", SeriesNumber=3, SeriesDescription="T1 axial")
    scan(root / "b" / "pet", "PT", "1.9.2", SeriesNumber=2)
    scan(root / "b" / "scout", "MR", "1.9.3", SeriesNumber=1, ImageType=["ORIGINAL", "LOCALIZER"])
    (root / "a" / "readme.txt").write_text("no image")
    (root / ".hidden").mkdir()
    shutil.copy(root / "a" / "t1" / "001.dcm", root / ".hidden" / "001.dcm")
    return root


def require_mri(volume):
    assert volume.modality == "MR"
    assert volume.image.GetSize() == SHAPE and volume.image.GetSpacing() == SPACING
    np.testing.assert_array_equal(sitk.GetArrayFromImage(volume.image).T, VALUES)


def test_series_are_found_in_folders_of_a_folder(study):
    found = read_folder(study)
    assert {uid: len(one.slices) for uid, one in found.items()} == {
        "1.9.1": 24, "1.9.2": 24, "1.9.3": 24,
    }  # fmt: skip
    require_mri(read_volume(study, series=["1.9.1"]))
    require_mri(read_volume(study, series=["3"]))
    with pytest.raises(InputError, match="holds 3 series: 1: 1.9.3 .MR, 24 slices., 2: 1.9.2"):
        read_volume(study)
    volume = read_volume(study, wanted=("MR",))  # the other one is a localiser
    require_mri(volume)
    assert [one.code for one in volume.remarks if not one.warning] == ["series_chosen"]


def test_what_we_made_ourselves_is_no_series_to_register(study, tmp_path):
    folder = shutil.copytree(study / "a" / "t1", tmp_path / "s" / "t1")
    scan(tmp_path / "s" / "out", "MR", "1.9.4", Manufacturer="BiMSRec")
    assert choose_series(folder, read_folder(tmp_path / "s"))[0].uid == "1.9.1"


def test_a_file_stands_for_its_series_and_a_multi_frame_one_for_itself(study, tmp_path):
    folder = shutil.copytree(study / "a" / "t1", tmp_path / "t1")
    for path in (study / "b" / "pet").iterdir():
        shutil.copy(path, folder / f"pet_{path.name}")
    (folder / "005.dcm").rename(folder / "IM5")
    assert is_volume(folder / "IM5")
    require_mri(read_volume(folder / "IM5"))
    rewrite(folder, lambda file, k: setattr(file, "NumberOfFrames", 2))
    (series,) = read_folder(folder / "IM5").values()
    assert [one.InstanceNumber for one in series.slices] == [5]


def dicomdir(study, folder):
    disc = FileSet()
    for path in study.rglob("*.dcm"):
        if "hidden" not in str(path):
            file = pydicom.dcmread(path)
            file.PatientName, file.StudyDate, file.StudyTime = "A", "20200101", "1200"
            disc.add(file)
    disc.write(folder)
    return folder / "DICOMDIR"


def test_the_series_of_a_dicomdir(study, tmp_path):
    table = dicomdir(study, tmp_path)
    require_mri(read_volume(table, wanted=("MR",)))
    first = next(path for path in tmp_path.rglob("*") if path.is_file() and path != table)
    first.rename(first.with_name(first.name.lower() + "_"))
    with pytest.raises(InputError, match="DICOMDIR: lists 1 files that are not there, such as PT"):
        read_volume(table)
    table.write_bytes(table.read_bytes()[:200])
    with pytest.raises(InputError, match="DICOMDIR: cannot be read as a DICOMDIR; name the folder"):
        read_volume(table)


def test_a_disc_mounted_in_lower_case(study, tmp_path):
    table = dicomdir(study, tmp_path / "UP")
    for path in (tmp_path / "UP").rglob("*"):
        if path.is_file() and path != table:
            low = tmp_path / "low" / str(path.relative_to(tmp_path / "UP")).lower()
            low.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, low)
    shutil.copy(table, tmp_path / "low" / "dicomdir")
    require_mri(read_volume(tmp_path / "low" / "dicomdir", wanted=("MR",)))


def zipped(study, path, **more):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(study.rglob("*.dcm")):
            archive.write(file, str(file.relative_to(study)))
        for name, content in more.items():
            archive.writestr(name, content)
    return path


def test_a_zip_file_is_read_without_unpacking_it(study, tmp_path, monkeypatch):
    path = zipped(study, tmp_path / "s.zip", **{"../../outside.dcm": b"x", "__MACOSX/a": b"y"})
    monkeypatch.setattr("tempfile.mkdtemp", None)
    require_mri(read_volume(path, wanted=("MR",)))
    assert [path] == list(tmp_path.iterdir()) and not (tmp_path.parent / "outside.dcm").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path, patch: path.write_bytes(path.read_bytes()[:-200]), "is a damaged ZIP file"),
        (
            lambda path, patch: patch.setattr(dicom_paths, "MOST", 5),
            r"GiB in \d+ files, too much .*; unpack it",
        ),
        (
            lambda path, patch: patch.setattr(dicom_paths, "LARGEST", 1000),
            "too much to unpack in memory",
        ),
        (
            lambda path, patch: [patch.setattr(dicom_paths, n, 1) for n in ("PACKED", "USUAL")],
            "too much to unpack in memory",
        ),
        (
            lambda path, patch: path.write_bytes(  # the bit of encryption of every entry
                path.read_bytes().replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0")
            ),
            "is encrypted; unpack it first",
        ),
        (
            lambda path, patch: path.write_bytes(  # Deflate64 as the method of every entry
                path.read_bytes().replace(
                    b"PK\1\2\x14\3\x14\0\0\0\x08", b"PK\1\2\x14\3\x14\0\0\0\x09"
                )
            ),
            r"s\.zip: is packed in a way that cannot be read; unpack it first",
        ),
        (
            lambda path, patch: path.write_bytes(_damaged(path.read_bytes())),
            "s.zip/a/t1/001.dcm: cannot be read as DICOM",
        ),
        (lambda path, patch: zipped(path.parent / "no", path, a="text"), "holds no DICOM series"),
    ],
)
def test_a_zip_file_that_cannot_be_used(change, message, study, tmp_path, monkeypatch):
    path = zipped(study, tmp_path / "s.zip")
    change(path, monkeypatch)
    with pytest.raises(InputError, match=message):
        read_volume(path, wanted=("MR",))


def _damaged(content):
    at = content.index(b"a/t1/001.dcm") + 60
    return content[:at] + bytes(100) + content[at + 100 :]


def test_of_very_many_files_the_pixels_of_the_chosen_series_alone_are_read(study, monkeypatch):
    monkeypatch.setattr(dicom_paths, "AT_ONCE", 1000)
    found = read_folder(study)
    assert not any("PixelData" in file for one in found.values() for file in one.slices)
    require_mri(read_volume(study, wanted=("MR",)))


def test_series_are_listed(study, tmp_path, capsys):
    lines = [
        "number  modality  description  slices  spacing (mm)  UID",
        "1       MR                     24      4 x 4 x 5     1.9.3",
        "2       PT                     24      4 x 4 x 5     1.9.2",
        "3       MR        T1 axial     24      4 x 4 x 5     1.9.1",
    ]
    assert series_table(study, read_folder(study, pixels=False)) == lines
    fuse.main(["--list_series", str(study)])
    assert capsys.readouterr().out.splitlines() == lines
    for path, message in (
        (tmp_path / "nowhere", "no such file"),
        (tmp_path, "holds no DICOM series"),
        (__file__, "holds no DICOM series"),
    ):
        with pytest.raises(SystemExit, match=message):
            fuse.main(["--list_series", str(path)])
    with pytest.raises(SystemExit, match="name a folder for the results: --output_dir"):
        fuse.main(["--fixed", str(study), "--moving", str(study)])


def test_what_is_no_dicom_in_a_zip_file_is_not_unpacked(study, tmp_path):
    path = zipped(study, tmp_path / "s.zip", movie=bytes(300 * 2**20))
    tracemalloc.start()
    require_mri(read_volume(path, wanted=("MR",)))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 100 * 2**20


def test_a_file_that_is_called_a_slice_and_is_none_is_named(study, tmp_path):
    folder = shutil.copytree(study / "a", tmp_path / "a")
    path = folder / "t1" / "001.dcm"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"001\.dcm: cannot be read as DICOM"):
        read_volume(folder)


def test_names_in_a_zip_file_may_begin_with_a_dot_and_a_slash(study, tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for file in (study / "a" / "t1").iterdir():
            archive.writestr(f"./t1/{file.name}", file.read_bytes())
    require_mri(read_volume(tmp_path / "s.zip"))


def test_a_broken_link_is_no_slice_to_leave_out(study, tmp_path):
    study = shutil.copytree(study, tmp_path / "study")
    last = study / "a" / "t1" / "024.dcm"
    last.unlink()
    last.symlink_to(study / "annex" / "024.dcm")
    for path in (study, last.with_name("001.dcm")):
        with pytest.raises(InputError, match=r"024\.dcm: is a broken link; fetch its content"):
            read_folder(path)
    (study / "annex").mkdir()
    shutil.copy(last.with_name("001.dcm"), study / "annex" / "024.dcm")
    assert len(read_folder(last.parent)["1.9.1"].slices) == 24


def test_a_folder_that_cannot_be_opened_is_named(study, monkeypatch):
    scan_folder = os.scandir

    def closed(path):
        if str(path).endswith("t1"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan_folder(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(InputError, match=r"t1: cannot be opened \(Permission denied\); check"):
        read_folder(study)


def test_closed_folders_of_the_system_are_left_out(study, monkeypatch, tmp_path):
    disc = shutil.copytree(study / "a", tmp_path / "disc")
    scan_folder = os.scandir

    def closed(path):
        if str(path).endswith("lost+found"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan_folder(path)

    (disc / "lost+found").mkdir()
    monkeypatch.setattr(os, "scandir", closed)
    require_mri(read_volume(disc))
