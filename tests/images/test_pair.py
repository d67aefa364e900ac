"""Two images that belong together: every file is opened once, and what is meant is named."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.images.pair import VolumePair, read_pair
from bundle.images.picture_pair import PicturePair
from bundle.options import options_of
from tests.images.test_dicom import rewrite, write_series
from tests.inference.images import blob, smooth, write_grey, write_volume
from tests.inference.stubs import KnownField

ROOT = Path(__file__).parents[2]
MRI, PET = "1.2.3.4", "1.2.3.5"
SLICES = [2.0 * k for k in range(48)]
SHAPE = (1, 36, 40)

COUNTING = """
import collections, json, sys
from pathlib import Path
import SimpleITK as sitk
folders = [Path(name) for name in sys.argv[1:3]]
opens = collections.Counter()
def count(event, args):
    if event == "open" and isinstance(args[0], (str, Path)) and Path(args[0]).parent in folders:
        opens[str(args[0])] += 1
sys.addaudithook(count)
sitk.ImageFileReader = sitk.ImageSeriesReader = sitk.ReadImage = None  # they open unseen
series, rest = sys.argv[3].split(), sys.argv[4:]
"""
READING = """
from bundle.images.pair import read_pair
from bundle.options import options_of
pair = read_pair(sys.argv[1], folders[1], options_of(series=series))
sizes = [volume.image.GetSize() for volume in (pair.fixed, pair.moving)]
print(json.dumps([[*sizes, pair.modality], opens]))
"""
FUSING = """
from scripts import fuse
words = ["--fixed", sys.argv[1], "--moving", sys.argv[2], "--output_dir", rest[1], "--init", "none"]
words += ["--series", *series] if series else []
stub = {"_target_": "tests.inference.stubs.KnownField"}
fuse.main(words, network_def=stub, checkpoint=rest[0], device="cpu")
report = json.loads((Path(rest[1]) / "report.json").read_text())
print(json.dumps([report["modality"], opens]))
"""


def odd(pair):
    """What was noticed beside what the volumes of a test lack."""
    lacking = ("small_field_of_view", "suv_unknown", "modality_missing")
    return [one for one in pair.remarks if one.code not in lacking]


def opens(code, folders, series="", *rest):
    """What a process says of a pair, and how often it opens which file of its folders."""
    words = [*map(str, folders), series, *map(str, rest)]
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COUNTING + code, *words],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    said, counted = json.loads(ran.stdout.splitlines()[-1])
    return said, counted


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Folders of an MRI and a PET of 48 slices each, and one of both."""
    root = tmp_path_factory.mktemp("studies")
    for folder in ("mri", "both"):
        write_series(root / folder, SLICES, "MR", MRI, shape=SHAPE)
    for folder in ("pet", "both"):
        write_series(root / folder, SLICES, "PT", PET, shape=SHAPE)
    torch.save(KnownField().state_dict(), root / "stub.pt")
    return root


@pytest.mark.parametrize(
    ("names", "series", "count"),
    [(("mri", "pet"), "", 96), (("both", "both"), f"{MRI} {PET}", 96)],
)
def test_every_file_of_a_pair_is_opened_once(names, series, count, studies):
    folders = [studies / name for name in names]
    said, counted = opens(READING, folders, series)
    assert said == [[40, 36, 48], [40, 36, 48], "PET"]
    expected = {str(path) for folder in folders for path in folder.iterdir()}
    assert len(expected) == count
    assert counted == dict.fromkeys(expected, 1)


@pytest.mark.parametrize(
    ("names", "series"), [(("mri", "pet"), ""), (("both", "both"), f"{MRI} {PET}")]
)
def test_the_command_opens_every_file_once(names, series, studies, tmp_path):
    folders = [studies / name for name in names]
    modality, counted = opens(FUSING, folders, series, studies / "stub.pt", tmp_path / "out")
    assert modality == "PET"
    assert (tmp_path / "out" / "fused.nii.gz").is_file()
    expected = {str(path) for folder in folders for path in folder.iterdir()}
    assert counted == dict.fromkeys(expected, 1)


@pytest.fixture
def both(tmp_path):
    """A folder of an MRI of 3 slices and a PET of 2."""
    folder = write_series(tmp_path / "both", [0.0, 2.0, 4.0], "MR", MRI, shape=SHAPE)
    return write_series(folder, [0.0, 2.0], "PT", PET, shape=SHAPE)


def test_two_uids_of_one_folder_are_the_fixed_and_the_moving_one(both):
    for series in (f"{MRI}, {PET}", [MRI, PET]):
        pair = read_pair(both, str(both) + "/", options_of(series=series))
        assert [v.image.GetSize()[2] for v in (pair.fixed, pair.moving)] == [3, 2]
        assert (pair.fixed.modality, pair.modality) == ("MR", "PET")
        assert not odd(pair)
    pair = read_pair(both, both, options_of(series=[PET, MRI]))
    assert [v.image.GetSize()[2] for v in (pair.fixed, pair.moving)] == [2, 3]
    assert [remark.code for remark in odd(pair)] == ["swapped"]
    message = r"both: series 1 is MR, not PET: is the order of --series swapped\?"
    with pytest.raises(InputError, match=message):
        read_pair(both, both, options_of(series=["2", "1"], suv=True))


def test_of_two_folders_each_takes_the_uid_it_holds(both, tmp_path):
    other = write_series(tmp_path / "other", [0.0, 2.0, 4.0, 6.0], "MR", "1.2.9", shape=SHAPE)
    write_series(other, [0.0, 2.0], "MR", "1.2.8", shape=SHAPE)
    pair = read_pair(other, both, options_of(series=[PET, "1.2.9"]))
    assert [v.image.GetSize()[2] for v in (pair.fixed, pair.moving)] == [4, 2]


def test_an_unknown_uid_is_refused(both, tmp_path):
    given = options_of(series=[MRI, "1.2.3.6"])
    with pytest.raises(InputError, match=r"both: without the series 1\.2\.3\.6; correct --series$"):
        read_pair(both, both, given)
    other = write_series(tmp_path / "other", [0.0, 2.0], "MR", "1.2.9", shape=SHAPE)
    message = r"other and .*both: without the series 1\.2\.3\.6; correct --series$"
    with pytest.raises(InputError, match=message):
        read_pair(other, both, given)
    files = [write_volume(tmp_path / f"{k}.nii.gz", smooth((4, 40, 36), k)) for k in range(2)]
    with pytest.raises(InputError, match=r"0\.nii\.gz: without the series 1\.2\.3\.4"):
        read_pair(*files, given)
    with pytest.raises(InputError, match=r"fixed image: without the series 1\.2\.3\.4"):
        read_pair(sitk.ReadImage(str(files[0])), files[1], given)


def test_the_only_sensible_series_of_one_folder_are_taken(both):
    pair = read_pair(both, both, options_of())
    assert (pair.fixed.modality, pair.modality) == ("MR", "PET")
    notes = [one.text for one in pair.remarks if one.code == "series_chosen"]
    assert notes == [
        f"{side} volume: of 2 series the only one that can be meant was taken: {kind}"
        for side, kind in (("fixed", "MR"), ("moving", "PET"))
    ]


def test_several_series_of_one_kind_have_to_be_named(both):
    write_series(both, [0.0, 2.0, 4.0], "MR", "1.2.9", shape=SHAPE)
    with pytest.raises(InputError, match=r"both: holds 3 series: 1: .*name one: --series UID"):
        read_pair(both, both, options_of())
    with pytest.raises(InputError, match=r"both: holds 3 series: 1: .*name one: --series UID"):
        read_pair(both, both, options_of(modality="CT"))


@pytest.mark.parametrize(
    ("series", "taken"),
    [(MRI, (MRI, PET)), ("1", (MRI, PET)), (PET, None), ("3", ("1.2.9", PET))],
)
def test_a_single_one_of_one_path_is_that_of_the_side_it_fits(series, taken, both):
    write_series(both, [0.0, 2.0], "MR", "1.2.9", shape=SHAPE, more={"0020|0011": "7"})
    options = options_of(series=series)
    if taken is None:  # of two MR series neither is named
        with pytest.raises(InputError, match=r"both: holds 3 series: 1: .*name one: --series UID"):
            read_pair(both, both, options)
        return
    pair = read_pair(both, str(both) + "/", options)
    assert tuple(v.header.SeriesInstanceUID for v in (pair.fixed, pair.moving)) == taken


def test_one_series_is_not_both_images(both, tmp_path):
    message = "alone: names one series for both images; give two, the fixed image's first"
    alone = write_series(tmp_path / "alone", [0.0, 2.0, 4.0, 6.0], "MR", MRI, shape=SHAPE)
    write_series(alone, [0.0], "MR", "1.2.9", shape=SHAPE)  # a localiser
    for series in ("", "1", MRI, f"{MRI}, {MRI}"):
        with pytest.raises(InputError, match=message):
            read_pair(alone, alone, options_of(series=series))


def test_two_frames_of_one_series_are_two_images(tmp_path):
    folder = tmp_path / "dynamic"
    for frame in (1, 2):
        part = write_series(tmp_path / "part", [0.0, 2.0], "PT", PET, shape=SHAPE, first=2 * frame)
        rewrite(part, lambda file, _, n=frame: setattr(file, "AcquisitionNumber", n))
        shutil.copytree(part, folder, dirs_exist_ok=True)
        shutil.rmtree(part)
    pair = read_pair(folder, folder, options_of(fixed_frame=0, frame=1))
    assert [one.header.AcquisitionNumber for one in (pair.fixed, pair.moving)] == [1, 2]
    with pytest.raises(InputError, match="names one series for both images"):
        read_pair(folder, folder, options_of(frame=1))


@pytest.mark.parametrize("series", [[1, 2], "1, 2", ["1", PET]])
def test_series_are_also_named_by_their_numbers(series, both):
    pair = read_pair(both, both, options_of(series=series))
    assert [v.image.GetSize()[2] for v in (pair.fixed, pair.moving)] == [3, 2]


def test_a_single_number_is_that_of_the_path_that_holds_several(both, tmp_path):
    other = write_series(tmp_path / "other", [0.0, 2.0, 4.0, 6.0], "MR", "1.2.9", shape=SHAPE)
    pair = read_pair(other, both, options_of(series="1"))
    assert [v.image.GetSize()[2] for v in (pair.fixed, pair.moving)] == [4, 3]
    write_series(other, [0.0, 2.0], "MR", "1.2.8", shape=SHAPE)
    with pytest.raises(InputError, match="give two numbers, that of the fixed image first"):
        read_pair(other, both, options_of(series="1"))
    with pytest.raises(InputError, match="other and .*both: without the series 3; correct"):
        read_pair(other, both, options_of(series="3"))


def test_the_modality_given_comes_before_that_of_the_header(both):
    options = options_of(series=[MRI, PET], modality="spect")
    assert read_pair(both, both, options).modality == "SPECT"


def test_the_frame_is_that_of_the_file_that_has_several(tmp_path):
    one = sitk.ReadImage(str(write_volume(tmp_path / "f.nii.gz", blob())))
    sitk.WriteImage(sitk.JoinSeries([one, one * 2, one * 3]), str(tmp_path / "m.nii.gz"))
    pair = read_pair(tmp_path / "f.nii.gz", tmp_path / "m.nii.gz", options_of(frame=2))
    assert sitk.GetArrayFromImage(pair.moving.image).max() == 300
    assert sitk.GetArrayFromImage(pair.fixed.image).max() == 100


def test_remarks_name_the_side_and_no_file(tmp_path):
    values = blob()
    values[:, 0] = np.nan
    paths = [write_volume(tmp_path / f"{name}_Miller.nii.gz", values) for name in "fm"]
    pair = read_pair(*paths, options_of())
    assert [remark.text.partition(": ")[0] for remark in odd(pair)] == [
        "fixed volume",
        "moving volume",
    ]
    assert all(one.code == "gaps_filled" and not one.warning for one in odd(pair))
    assert "Miller" not in "".join(remark.text for remark in pair.remarks)


def test_two_of_one_kind(tmp_path):
    pictures = [write_grey(tmp_path / f"{k}.png", seed=k) for k in range(2)]
    volume = write_volume(tmp_path / "v.nii.gz", blob())
    assert isinstance(read_pair(*pictures, options_of()), PicturePair)
    assert isinstance(read_pair(volume, volume, options_of()), VolumePair)
    with pytest.raises(InputError, match=r"0\.png, .*v\.nii\.gz: a picture and a volume; give two"):
        read_pair(pictures[0], volume, options_of())
    with pytest.raises(InputError, match="fixed image, moving image: a picture and a volume"):
        read_pair(sitk.ReadImage(str(volume)), np.zeros((40, 40), np.uint8), options_of())
    with pytest.raises(InputError, match="^fixed image: is a NoneType; give a path"):
        read_pair(None, np.zeros((40, 40), np.uint8), options_of())


def test_pictures_say_which_options_of_volumes_they_do_not_use(tmp_path):
    pictures = [write_grey(tmp_path / f"{k}.png", seed=k) for k in range(2)]
    assert read_pair(*pictures, options_of(init="rigid", ct_window=[-20, 150])).remarks == ()
    (remark,) = read_pair(*pictures, options_of(plane="axial", refine="bspline")).remarks
    assert remark.code == "volumes_only" and not remark.warning
    assert remark.text.startswith("Pictures do not use --plane, --refine:")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda image: image[:, :, 0], "is 2D; give a picture as an array"),
        (lambda image: image[:, :, :1], "is a single slice"),
        (lambda image: sitk.JoinSeries([image, image]), "is 4D with 2 frames; name one of them"),
        (lambda image: sitk.Compose([image] * 3), "is 3D with 3 value"),
        (lambda image: image * 0, "has the same value everywhere"),
        (lambda image: None, "is a NoneType; give a path, a SimpleITK"),
        (lambda image: torch.zeros(1, 40, 40, 20), "is a Tensor; give a path, a SimpleITK"),
    ],
)
def test_what_is_in_memory_is_checked_as_files_are(make, message):
    image = sitk.GetImageFromArray(blob())
    with pytest.raises(InputError, match=rf"^moving image: {message}") as raised:
        read_pair(image, make(image), options_of())
    assert "\n" not in str(raised.value)


def test_the_fixed_volume_s_slices_are_large_enough():
    image = sitk.GetImageFromArray(blob())
    with pytest.raises(
        InputError, match="^fixed image: is 40 x 20 pixels in axial plane; .* too thin a slab"
    ):
        read_pair(image[:, :20], image, options_of())
