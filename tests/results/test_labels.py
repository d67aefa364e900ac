"""Means in labels, and standardised uptake values, from the pair to the files."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.labels import read_labels
from bundle.images.pair import read_pair
from bundle.images.suv import Suv
from bundle.options import options_of
from bundle.results import write
from bundle.results.labels import label_means
from tests.images.series import dicom_of
from tests.images.test_suv import header
from tests.images.test_volumes import smooth

AFFINE = np.diag([-4.0, -4.0, 5.0, 1.0])
VALUES = np.round(1000 * smooth((24, 36, 40), 3)).astype(np.int16).T


@pytest.fixture
def scans(tmp_path):
    tags = {one.keyword: one.value for one in header()}
    pet = dicom_of(tmp_path / "pets", VALUES, AFFINE, "PT", **tags)
    return dicom_of(tmp_path / "mr", VALUES[::-1], AFFINE, "MR"), pet


def with_labels(fused, array, suv=None):
    """The pair of the ball, whose start lies 12 mm beside the truth."""
    registration = fused.registration
    labels = sitk.GetImageFromArray(np.asarray(array, np.int32))
    labels.CopyInformation(registration.pair.fixed.image)
    moving = replace(registration.pair.moving, suv=suv)
    pair = replace(registration.pair, labels=labels, moving=moving)
    start = np.eye(4)
    start[0, 3] = 12.0
    initial = replace(registration.initial, pair=pair, start=start)
    return replace(fused, registration=replace(registration, initial=initial))


def test_means_by_hand(ball):
    moving = sitk.GetArrayFromImage(ball.registration.pair.moving.image)
    array = np.zeros(moving.shape)
    array[10:14, 20:24, 18:20] = 7
    array[16:18, 20:22, -4:] = 9  # its end leaves the moving volume by the start
    seven, nine = label_means(with_labels(ball, array).registration)
    assert (seven.label, seven.covered, seven.unit) == (7, 1.0, "arbitrary units")
    assert seven.volume_ml == pytest.approx(32 * 0.008)
    inside = array == 7
    assert seven.headers == pytest.approx(moving[inside].mean(), rel=1e-5)
    assert seven.registered == pytest.approx(moving[inside].mean(), rel=1e-5)
    assert seven.start == pytest.approx(np.roll(moving, -6, axis=2)[inside].mean(), rel=1e-5)
    assert nine.covered == 1.0 and nine.start is None


def test_means_of_pet_are_uptake_values_where_these_are_known(ball, tmp_path):
    array = np.zeros(sitk.GetArrayFromImage(ball.fused).shape)
    array[10:14, 20:24, 18:20] = 7
    (plain,) = label_means(with_labels(ball, array).registration)
    known = with_labels(ball, array, Suv(0.01, "weight and dose"))
    (scaled,) = label_means(known.registration)
    assert scaled.unit == "SUV (g/ml)"
    assert scaled.registered == pytest.approx(0.01 * plain.registered, rel=1e-5)
    report = write(known, tmp_path / "out", options_of())
    rows = list(csv.DictReader((tmp_path / "out" / "labels.csv").open(encoding="utf-8")))
    assert [row["label"] for row in rows] == ["7"]
    assert float(rows[0]["registered"]) == scaled.registered
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert written["suv"] == {"factor": 0.01, "method": "weight and dose", "applied": False}
    assert written["labels"][0]["registered"] == scaled.registered == report.labels[0].registered
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Means in the labels of the fixed image" in page
    assert "warped * 0.01, from weight and dose" in page
    assert "<span>1</span>" in page and "<span>3 SUV (g/ml)</span>" in page  # 100 to 300


def test_a_pair_without_labels_has_no_table(ball, tmp_path):
    write(ball, tmp_path / "out", options_of())
    assert not (tmp_path / "out" / "labels.csv").exists()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Means in the labels" not in page


def test_values_become_uptake_values_on_request(scans):
    plain = read_pair(*scans, options_of()).moving
    asked = read_pair(*scans, options_of(suv=True)).moving
    assert (plain.suv.applied, asked.suv.applied) == (False, True)
    assert plain.suv.factor == asked.suv.factor == pytest.approx(70e3 / 140e6)
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(asked.image),
        sitk.GetArrayFromImage(plain.image) * plain.suv.factor,
        rtol=1e-12,
    )
    assert (asked.header.Units, asked.header.SUVType) == ("GML", "BW")
    assert plain.header.Units == "BQML"


def test_what_suv_need_and_lack(scans, tmp_path):
    mri, pet = scans
    lacking = dicom_of(tmp_path / "other", VALUES, AFFINE, "PT", Units="BQML")
    pair = read_pair(mri, lacking, options_of())
    (note,) = (one for one in pair.remarks if one.code == "suv_unknown")
    assert note.text.endswith("no standardised uptake values: its header lacks PatientWeight")
    assert not note.warning and pair.moving.suv is None
    with pytest.raises(InputError, match="other: has no SUV: its header lacks PatientWeight; leav"):
        read_pair(mri, lacking, options_of(suv=True))
    with pytest.raises(InputError, match="mr: is no DICOM series of PET; leave out --suv"):
        read_pair(pet, mri, options_of(suv=True))


def test_a_label_map_keeps_its_grid_and_counts_in_the_fixed_volume(tmp_path):
    fixed = sitk.GetImageFromArray(np.zeros((24, 36, 40)))
    fixed.SetSpacing((4.0, 4.0, 5.0))
    array = np.zeros((60, 36, 40), np.int16)
    array[20:, 10:20] = 5
    labels = sitk.GetImageFromArray(array)
    labels.SetSpacing((4.0, 4.0, 2.5))
    labels.SetOrigin((0.0, 0.0, -1.25))
    sitk.WriteImage(labels, str(tmp_path / "l.nii.gz"))
    found = read_labels(tmp_path / "l.nii.gz", fixed)
    assert found.GetSize() == labels.GetSize() and found.GetOrigin() == labels.GetOrigin()
    array[48:] = 0  # above the fixed volume
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), array)


def test_small_labels_of_a_fine_map_are_measured_on_a_coarse_fixed_volume(ball):
    registration = with_labels(
        ball, np.zeros(sitk.GetArrayFromImage(ball.fused).shape)
    ).registration
    fixed, moving = registration.pair.fixed.image, registration.pair.moving.image
    fine = sitk.Image([2 * n for n in fixed.GetSize()], sitk.sitkInt32)
    fine.SetSpacing([step / 2 for step in fixed.GetSpacing()])
    fine.SetOrigin(fixed.GetOrigin())
    index = fine.TransformPhysicalPointToIndex(fixed.TransformIndexToPhysicalPoint((18, 20, 10)))
    fine[index] = 3
    pair = replace(registration.pair, labels=fine)
    initial = replace(registration.initial, pair=pair)
    (small,) = label_means(replace(registration, initial=initial))
    assert small.volume_ml == 0.001
    assert small.covered == 1.0
    assert small.headers == pytest.approx(moving.EvaluateAtPhysicalPoint(
        fine.TransformIndexToPhysicalPoint(index)), rel=1e-5)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda image: image * 0.3, "is no label map"),
        (lambda image: image - 1, "is no label map"),
        (lambda image: image * 0, "none of its labels lies in the fixed volume"),
    ],
)
def test_what_is_no_label_map(change, message, tmp_path):
    image = sitk.GetImageFromArray(np.pad(np.ones((8, 12, 12)), 12))
    image.SetSpacing((4.0, 4.0, 5.0))
    sitk.WriteImage(change(image), str(tmp_path / "l.nii.gz"))
    with pytest.raises(InputError, match=rf"l\.nii\.gz: {message}.*; check --labels"):
        read_labels(tmp_path / "l.nii.gz", image)


def test_pictures_take_no_option_of_volumes(tmp_path):
    picture = np.zeros((40, 40), np.uint8)
    asked = {"suv": True, "labels": "l.nii.gz", "initial_transform": "t.tfm"}
    asked |= {"resolution": 2, "matrices": ["fsl"], "dicom_output": True, "ddf_full": True}
    asked |= {"frame": 0, "fixed_frame": "mean", "series": ["1"], "spacing": (1, 1, 2)}
    asked |= {"colormap": "hot"}
    for given in ({name: value} for name, value in asked.items()):
        (name,) = given
        with pytest.raises(InputError, match=f"moving image: is a picture; leave out --{name}"):
            read_pair(picture, picture, options_of(**given))
