"""What a volume shows is said by its header or by the user, and not by negative numbers."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.geometry.slices import from_slices
from bundle.images.display import looks_like_ct
from bundle.images.pair import read_pair
from bundle.options import options_of
from bundle.phantom.head import make_head
from bundle.registration import initialize
from tests.images.series import dicom_of, rewrite

HEAD = make_head(0, (80, 96, 40), (2.0, 2.0, 4.0))
T1, CT, PET = (HEAD.contrast(name) for name in ("T1", "CT", "PET"))
BACKGROUND = T1 / T1.max() < 0.05
STILL = options_of(init="none")


def volume(values):
    """A phantom's values (X, Y, Z) as a NIfTI file would hold them, without what they are."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.T, dtype=np.float32))
    image.SetSpacing((2.0, 2.0, 4.0))
    return image


def padded(values=T1, scale=1000.0):
    """An MRI whose background is -1024."""
    return np.where(BACKGROUND, -1024, scale * values)


def noisy_pet():
    """A PET of filtered back projection: noise on both sides of 0, far below -200."""
    noise = np.random.default_rng(0).normal(0, 300, PET.shape)
    return 5000 * PET + noise


def codes(pair):
    return [one.code for one in pair.remarks]


@pytest.mark.parametrize("modality", ["CT", "PET", None])
@pytest.mark.parametrize("scale", [1.0, 255.0, 1000.0])
def test_a_fixed_mri_with_a_negative_background_is_no_ct(modality, scale):
    fixed = padded(scale=scale)
    pair = read_pair(volume(fixed), volume(CT), options_of(init="none", modality=modality))
    assert pair.hounsfield[0] is False
    assert "swapped" not in codes(pair)
    window = initialize(pair, STILL).windows[0]
    assert window[1] == pytest.approx(scale * np.percentile(T1[~BACKGROUND], 99.5), rel=0.1)


@pytest.mark.parametrize("modality", ["PET", None])
def test_a_pet_with_negative_noise_is_no_ct(modality):
    asked = options_of(init="none", modality=modality)
    pair = read_pair(volume(T1), volume(noisy_pet()), asked)
    assert pair.hounsfield == (False, False)
    assert codes(pair) == ([] if modality else ["modality_missing"])
    assert initialize(pair, asked).windows[1][1] > 1000


def test_a_signed_mp2rage_is_no_ct():
    noise = np.random.default_rng(1).uniform(-4095, 4095, T1.shape)
    signed = np.where(BACKGROUND, noise, 8190 * T1 / T1.max() - 4095)
    pair = read_pair(volume(signed), volume(signed), STILL)
    assert pair.hounsfield == (False, False) and codes(pair) == ["modality_missing"]


def test_a_moving_ct_of_which_nothing_says_so_is_told_and_windowed():
    pair = read_pair(volume(T1), volume(CT), STILL)
    assert pair.hounsfield == (False, True)
    (remark,) = pair.remarks
    assert remark.code == "modality_guessed" and remark.warning
    assert "state the modality (--modality CT, PET, SPECT or MR)" in remark.text
    assert initialize(pair, STILL).windows[1] == STILL.ct_window
    stated = read_pair(volume(T1), volume(CT), options_of(modality="CT"))
    assert stated.hounsfield == (False, True) and stated.remarks == ()


def test_strict_refuses_what_is_warned_of():
    asked = options_of(strict=True)
    with pytest.raises(
        InputError, match=r"^fixed image, moving image: .*leave out strict"
    ) as raised:
        read_pair(volume(T1), volume(CT), asked)
    assert "\n" not in str(raised.value)
    assert read_pair(volume(T1), volume(CT), options_of(strict=True, modality="CT")).remarks == ()


def test_a_ct_as_the_fixed_volume_is_told_where_its_contrast_tells():
    pair = read_pair(volume(CT), volume(T1), STILL)
    (remark,) = pair.remarks
    assert remark.code == "swapped"
    assert remark.text.startswith("the fixed image looks like a CT, but")
    assert pair.hounsfield == (False, False)  # nobody said so
    wrong = read_pair(volume(CT), volume(T1), options_of(init="none", modality="CT"))
    assert wrong.remarks == (remark,)  # what the user says of the moving image shows nothing
    assert codes(initialize(wrong, STILL)) == ["swapped"]


def test_a_moving_image_of_which_nothing_is_known_is_told():
    (remark,) = read_pair(volume(T1), volume(PET), STILL).remarks
    assert remark.code == "modality_missing" and remark.warning
    assert "state it (--modality CT, PET, SPECT or MR)" in remark.text
    assert read_pair(volume(T1), volume(PET), options_of(modality="PET")).remarks == ()


def test_what_looks_like_ct():
    def of(values):
        return looks_like_ct(torch.from_numpy(np.asarray(values, dtype=np.float64)))

    assert of(CT)
    assert not of(T1) and not of(padded()) and not of(padded(scale=100)) and not of(noisy_pet())
    zeros = np.where(BACKGROUND, 0, 2000 * T1)
    zeros[:8] = -1024  # resampled beyond its field of view
    assert not of(zeros)
    assert not of(np.full((4, 4, 4), -1000.0))


@pytest.fixture
def studies(tmp_path):
    """An MRI and a CT of one person, as DICOM series."""
    person = {"PatientID": "P-17", "PatientBirthDate": "19500101", "PatientSex": "F"}
    for name, values, modality in (("mri", 1000 * T1, "MR"), ("scan", CT, "CT")):
        dicom_of(tmp_path / name, values.astype(np.int16), HEAD.affine, modality, **person)
    return tmp_path / "mri", tmp_path / "scan"


def test_a_ct_that_says_so_is_windowed(studies):
    pair = read_pair(*studies, options_of())
    assert pair.hounsfield == (False, True) and pair.modality == "CT" and pair.remarks == ()


@pytest.mark.parametrize(
    ("keyword", "other", "told"),
    [
        ("PatientID", "Q-99", True),
        ("PatientBirthDate", "19870203", True),
        ("PatientSex", "M", True),
        ("PatientSex", "", False),
        ("PatientID", "p-17 ", False),
        ("PatientName", "Doe^J", False),
    ],
)
def test_two_persons_are_told_and_not_named(keyword, other, told, studies):
    rewrite(studies[1], lambda file, _: setattr(file, keyword, other))
    pair = read_pair(*studies, options_of())
    assert codes(pair) == (["two_persons"] if told else [])
    if told:
        text = pair.remarks[0].text
        assert text == f"the headers of fixed and moving name different patients ({keyword} differ)"
        with pytest.raises(InputError, match="name different patients") as raised:
            read_pair(*studies, options_of(strict=True))
        for secret in ("P-17", "Q-99", "1950", "1987", other):
            assert secret not in str(raised.value).replace(str(studies[0].parent), "")


def test_each_of_two_files_of_frames_has_a_frame_of_its_own():
    frames = [sitk.JoinSeries([volume(k * values) for k in (1, 2, 3)]) for values in (T1, PET)]
    pair = read_pair(*frames, options_of(fixed_frame=2, frame=0, modality="PET"))
    tops = [float(sitk.GetArrayFromImage(one.image).max()) for one in (pair.fixed, pair.moving)]
    assert tops == pytest.approx([3 * T1.max(), PET.max()], rel=1e-6)
    pair = read_pair(*frames, options_of(frame=1, modality="PET"))
    assert sitk.GetArrayFromImage(pair.fixed.image).max() == pytest.approx(2 * T1.max())


def test_a_slab_that_is_too_thin_is_told_from_a_small_picture():
    slab = volume(np.repeat(T1, 2, axis=2)[30:50])
    with pytest.raises(
        InputError, match=r"20 x 96 pixels in axial plane; .* too thin a slab: take"
    ):
        read_pair(slab, slab, STILL)
    assert read_pair(slab, slab, options_of(plane="sagittal")).plane == "sagittal"


def test_an_mri_is_registered_onto_an_mri(studies, tmp_path):
    other = dicom_of(
        tmp_path / "t2", (900 * HEAD.contrast("T2")).astype(np.int16), HEAD.affine, "MR"
    )
    pair = read_pair(studies[0], other, options_of())
    assert pair.modality == "MR" and pair.hounsfield == (False, False)
    (remark,) = pair.remarks
    assert remark.code == "mri_onto_mri" and not remark.warning
    strict = read_pair(studies[0], other, options_of(strict=True))
    assert strict.modality == "MR"


def test_an_mri_onto_what_nothing_is_known_of_may_be_swapped_unless_it_is_stated(studies):
    assert codes(read_pair(volume(T1), studies[0], options_of())) == ["swapped"]
    for given in (volume(T1), str(studies[0])):
        pair = read_pair(volume(T1), given, options_of(modality="MR"))
        assert pair.modality == "MR" and codes(pair) == []
    assert codes(read_pair(studies[1], studies[0], options_of(modality="MR"))) == ["swapped"]


def test_an_mri_is_shown_by_percentiles():
    asked = options_of(modality="mr", init="header")
    found = initialize(read_pair(volume(T1), volume(HEAD.contrast("T2")), asked), asked)
    inside = HEAD.contrast("T2")[find(found)]
    assert found.windows[1] == pytest.approx(tuple(np.percentile(inside, (0.5, 99.5))), rel=0.02)


def find(found):
    """The head of a pair, as the phantom's arrays have it."""
    grid = found.pair.fixed.image
    return sitk.GetArrayFromImage(from_slices(found.head, grid, found.pair.plane)).T > 0.5
