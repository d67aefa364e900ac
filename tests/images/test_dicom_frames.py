"""Multi-frame DICOM files: every frame where it lies, in its units, of the volume that is meant."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

from bundle.errors import InputError
from bundle.images.volumes import read_volume
from tests.images.frames import enhanced, item, nuclear
from tests.images.oblique_head import AFFINE, T1, require_right

SMALL = T1[:, :, ::4]
COARSE = AFFINE @ np.diag([1, 1, 4, 1])
RESCALED = {"PixelValueTransformationSequence": item(RescaleSlope=0.5, RescaleIntercept=-3)}
REORDERED = COARSE @ np.diag([1, 1, -1, 1])
"""The first slice at the same place, the others on its other side."""


def timed(index):
    return {"FrameContentSequence": item(TemporalPositionIndex=index)}


def refused(folder, message, **options):
    with pytest.raises(InputError, match=message) as raised:
        read_volume(folder, **options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("packed", [False, True])
def test_frames_lie_where_their_groups_say_and_have_their_units(packed, tmp_path):
    path = enhanced(tmp_path / "mr" / "all.dcm", [SMALL], COARSE, [RESCALED])
    if packed:
        file = pydicom.dcmread(path)
        file.compress(RLELossless)
        file.save_as(path)
    volume = read_volume(path.parent)
    require_right(volume, COARSE, SMALL * 0.5 - 3)
    assert volume.remarks == () and volume.modality == "MR"
    assert "PixelData" not in volume.header and volume.header.StudyInstanceUID == "1.2"


def test_each_frame_may_have_units_of_its_own(tmp_path):
    path = enhanced(tmp_path / "pet" / "all.dcm", [SMALL], COARSE)
    file = pydicom.dcmread(path)
    slopes = np.linspace(1, 2, SMALL.shape[2])
    for groups, slope in zip(file.PerFrameFunctionalGroupsSequence, slopes, strict=True):
        groups.PixelValueTransformationSequence = item(RescaleSlope=slope, RescaleIntercept=0)
    file.save_as(path)
    require_right(read_volume(path.parent), COARSE, SMALL * slopes[::-1])  # from the top


def test_volumes_of_one_file_are_told_apart(tmp_path):
    path = enhanced(tmp_path / "pet" / "all.dcm", [SMALL, 2 * SMALL], COARSE, [timed(1), timed(2)])
    refused(
        path.parent, r"2 volumes, told apart by TemporalPositionIndex \(0: 1, 1: 2\).*--frame 0"
    )
    require_right(read_volume(path.parent, frame=1), COARSE, 2 * SMALL)


@pytest.mark.parametrize("keyword", ["FrameReferenceDateTime", "FrameAcquisitionDateTime"])
def test_volumes_are_told_apart_by_their_times(keyword, tmp_path):
    times = ("20200101235900.5", "20200102000100.5")
    said = [{"FrameContentSequence": item(**{keyword: time})} for time in times]
    path = enhanced(tmp_path / "pet" / "all.dcm", [SMALL, 2 * SMALL], COARSE, said)
    refused(path.parent, rf"2 volumes, told apart by {keyword} \(0: 2020.*--frame 0 to 1")
    require_right(read_volume(path.parent, frame=1), COARSE, 2 * SMALL)


def test_times_of_single_frames_tell_no_volumes_apart(tmp_path):
    said = [{**timed(one), **echo(two)} for one in (1, 2) for two in (4.5, 9.0)]
    path = enhanced(tmp_path / "mr" / "all.dcm", [n * SMALL for n in (1, 2, 3, 4)], COARSE, said)
    file = pydicom.dcmread(path)
    for number, groups in enumerate(file.PerFrameFunctionalGroupsSequence):
        groups.FrameContentSequence[0].FrameAcquisitionDateTime = f"202001010900{number:02d}"
    file.save_as(path)
    refused(path.parent, "4 volumes, told apart by TemporalPositionIndex and EffectiveEchoTime")
    require_right(read_volume(path.parent, frame=2), COARSE, 3 * SMALL)


def echo(time):
    return {"MREchoSequence": item(EffectiveEchoTime=time)}


def test_volumes_that_two_attributes_tell_apart(tmp_path):
    said = [
        {**timed(time), "MREchoSequence": item(EffectiveEchoTime=echo)}
        for time in (1, 2)
        for echo in (4.5, 9.0)
    ]
    volumes = [(n + 1) * SMALL for n in range(4)]
    path = enhanced(tmp_path / "mr" / "all.dcm", volumes, COARSE, said)
    refused(
        path.parent, r"4 volumes, told apart by TemporalPositionIndex and EffectiveEchoTime \(0"
    )
    require_right(read_volume(path.parent, frame=2), COARSE, 3 * SMALL)


def test_stacks_of_one_file_are_told_apart(tmp_path):
    path = enhanced(
        tmp_path / "mr" / "all.dcm",
        [SMALL, 2 * SMALL],
        COARSE,
        [{"FrameContentSequence": item(StackID=name)} for name in ("head", "neck")],
    )
    file = pydicom.dcmread(path)
    for groups in file.PerFrameFunctionalGroupsSequence[1::2]:  # the neck lies elsewhere
        place = groups.PlanePositionSequence[0].ImagePositionPatient
        groups.PlanePositionSequence[0].ImagePositionPatient = [place[0] + 500, *place[1:]]
    file.save_as(path)
    refused(path.parent, r"2 volumes, told apart by StackID \(0: head, 1: neck\)")
    require_right(read_volume(path.parent, frame=0), COARSE, SMALL)


def test_two_files_of_one_series_are_told_apart(tmp_path):
    for name, values in (("a.dcm", SMALL), ("b.dcm", SMALL[:, :, :6])):
        enhanced(tmp_path / "mr" / name, [values], COARSE, uid=f"1.2.3.{len(values[0, 0])}")
    refused(tmp_path / "mr", r"2 volumes, told apart by filename \(0: a.dcm, 1: b.dcm\)")
    require_right(read_volume(tmp_path / "mr", frame=1), COARSE, SMALL[:, :, :6])


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path):
    for name, values in (("a", SMALL), ("b", SMALL[:, :, :6])):
        (tmp_path / "mr" / name).mkdir(parents=True)
        enhanced(tmp_path / "mr" / name / "1.dcm", [values], COARSE, uid=f"1.2.{len(values[0, 0])}")
    refused(tmp_path / "mr", r"2 volumes, told apart by filename \(0: a/1.dcm, 1: b/1.dcm\)")
    require_right(read_volume(tmp_path / "mr", frame=1), COARSE, SMALL[:, :, :6])


@pytest.mark.parametrize("affine", [COARSE, REORDERED])
def test_slices_of_nuclear_medicine_are_stacked_along_or_against_the_normal(affine, tmp_path):
    path = nuclear(tmp_path / "nm" / "recon.dcm", [SMALL], affine)
    assert (pydicom.dcmread(path).SpacingBetweenSlices < 0) == (affine is REORDERED)
    volume = read_volume(path.parent)
    assert volume.modality == "SPECT" and volume.remarks == ()
    turned = SMALL if affine is COARSE else SMALL[:, :, ::-1]  # slices come along the normal
    placed = affine if affine is COARSE else COARSE @ shifted(-(SMALL.shape[2] - 1))
    require_right(volume, placed, turned)


def shifted(slices):
    matrix = np.eye(4)
    matrix[2, 3] = slices
    return matrix


def test_gates_of_nuclear_medicine_are_told_apart(tmp_path):
    slots = np.repeat([1, 2], SMALL.shape[2]).tolist()
    path = nuclear(tmp_path / "nm" / "g.dcm", [SMALL, 2 * SMALL], COARSE, TimeSlotVector=slots)
    refused(path.parent, r"2 volumes, told apart by TimeSlotVector \(0: 1, 1: 2\)")
    require_right(read_volume(path.parent, frame=1), COARSE, 2 * SMALL)


def test_nuclear_medicine_that_does_not_say_its_place(tmp_path):
    path = nuclear(tmp_path / "nm" / "r.dcm", [SMALL], COARSE, DetectorInformationSequence=None)
    refused(path.parent, r"do not say where the slices lie \(ImageOrientationPatient\).*--spacing")
    spacing = tuple(np.linalg.norm(COARSE[:3, :3], axis=0))
    volume = read_volume(path.parent, spacing=spacing)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(volume.image).T, SMALL)
    np.testing.assert_allclose(volume.image.GetSpacing(), spacing)
    assert [one.code for one in volume.remarks] == ["orientation_missing"]


def test_nuclear_medicine_that_does_not_say_how_far_its_slices_are(tmp_path):
    path = nuclear(tmp_path / "nm" / "r.dcm", [SMALL], COARSE, SpacingBetweenSlices=None)
    refused(path.parent, r"how far apart its slices are \(SpacingBetweenSlices\); .*--spacing X Y")
    spacing = np.linalg.norm(COARSE[:3, :3], axis=0)
    require_right(read_volume(path.parent, spacing=spacing), COARSE, SMALL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "TOMO"], "SliceVector": None}, "projections or of"),
        ({"SliceVector": [1, 2]}, "SliceVector counts 2 frames of 10"),
        ({"NumberOfFrames": 999999999}, "its pixels are damaged or cut short"),
        ({"NumberOfFrames": 9}, "its pixels are damaged or cut short"),
        ({"Modality": "US"}, "holds 10 frames and does not say where each of them lies"),
    ],
)
def test_frames_that_make_no_volume(change, message, tmp_path):
    path = nuclear(tmp_path / "nm" / "r.dcm", [SMALL], COARSE, **change)
    refused(path.parent, rf"r\.dcm: .*{message}")


def test_groups_that_do_not_fit_the_frames(tmp_path):
    path = enhanced(tmp_path / "mr" / "all.dcm", [SMALL], COARSE)
    file = pydicom.dcmread(path)
    del file.PerFrameFunctionalGroupsSequence[3]
    file.save_as(path)
    refused(path.parent, r"all\.dcm: describes 9 frames of 10; export the series anew")
    del file.PerFrameFunctionalGroupsSequence, file.SharedFunctionalGroupsSequence
    file.save_as(path)
    refused(path.parent, r"all\.dcm: holds 10 frames and does not say where each of them lies")


def test_compressed_frames_that_are_missing(tmp_path):
    path = enhanced(tmp_path / "mr" / "all.dcm", [SMALL], COARSE)
    file = pydicom.dcmread(path)
    file.compress(RLELossless)
    parts = list(pydicom.encaps.generate_frames(file.PixelData, number_of_frames=10))
    file.PixelData = encapsulate(parts[:9])
    file.save_as(path)
    refused(path.parent, r"all\.dcm: its pixels are damaged or cut short")


def test_a_frame_without_the_intercept_of_the_others_is_refused(tmp_path):
    path = enhanced(tmp_path / "ct" / "all.dcm", [SMALL], COARSE)
    file = pydicom.dcmread(path)
    for groups in file.PerFrameFunctionalGroupsSequence[1:]:
        groups.PixelValueTransformationSequence = item(RescaleSlope=1, RescaleIntercept=-1024)
    file.save_as(path)
    refused(path.parent, r"all\.dcm: lacks the RescaleIntercept that other slices have; export")


@pytest.mark.parametrize("moved", [0.0, 1e-4, 6.0])
def test_a_mean_is_of_volumes_in_one_place(moved, tmp_path):
    for number, name in enumerate("ab"):
        place = COARSE.copy()
        place[0, 3] += number * moved
        values = SMALL * (2 * number + 1)
        enhanced(tmp_path / "pet" / f"{name}.dcm", [values], place, uid=f"1.2.3.{number}")
    if moved == 6:
        refused(tmp_path / "pet", "pet: its volumes are of several sizes or pl", frame="mean")
    else:
        require_right(read_volume(tmp_path / "pet", frame="mean"), COARSE, 2 * SMALL)
