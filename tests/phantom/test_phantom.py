"""The phantom: reproducible, different from seed to seed, plausible in every contrast."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from scipy.ndimage import binary_dilation

from bundle.phantom.bids import write_bids
from bundle.phantom.canvas import Tissue
from bundle.phantom.contrast import MODALITIES, render
from bundle.phantom.display import PET_PALETTE, SPECT_PALETTE, Display
from bundle.phantom.pairs import Head, make_head, make_pairs, write_pairs, write_volumes
from scripts.make_phantom import main

SHAPE, SPACING = (96, 116, 96), 2.0
BRIGHTNESS = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def head() -> Head:
    return make_head(5, SHAPE, SPACING)


@pytest.fixture(scope="module")
def contrasts(head: Head) -> dict[str, np.ndarray]:
    return {modality: head.contrast(modality) for modality in MODALITIES}


def small_pairs(seed: int = 0, split: str = "train", count: int = 3) -> list:
    return list(make_pairs(count, seed=seed, size=64, split=split))


def test_same_seed_gives_the_same_head_whatever_the_global_generator(head):
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    again = make_head(5, SHAPE, SPACING)
    np.testing.assert_array_equal(again.labels, head.labels)
    assert again.landmarks == head.landmarks
    np.testing.assert_array_equal(again.contrast("PET"), head.contrast("PET"))
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_a_contrast_does_not_depend_on_what_was_asked_before(head, contrasts):
    for modality in reversed(MODALITIES):
        np.testing.assert_array_equal(head.contrast(modality), contrasts[modality])


def test_seeds_differ_in_size_shape_and_folding():
    shape, spacing = (48, 58, 48), 4.0
    heads = [make_head(seed, shape, spacing).labels for seed in range(5)]
    brains = [np.isin(labels, (Tissue.GREY_MATTER, Tissue.WHITE_MATTER)) for labels in heads]
    volumes = np.array([brain.sum() for brain in brains])
    assert volumes.std() / volumes.mean() > 0.02
    for first, second in zip(brains[:-1], brains[1:], strict=True):
        dice = 2 * (first & second).sum() / (first.sum() + second.sum())
        assert 0.5 < dice < 0.93
    white = [labels == Tissue.WHITE_MATTER for labels in heads]
    both = brains[0] & brains[1]
    assert np.mean(white[0][both] == white[1][both]) < 0.8


def test_same_anatomy_on_every_grid(head):
    coarse_shape = tuple(n // 2 for n in SHAPE)
    centre = (-SPACING / 2, -SPACING / 2, -8 - SPACING / 2)  # coarse voxels on fine voxels
    coarse = make_head(5, coarse_shape, 2 * SPACING, centre)
    np.testing.assert_allclose(coarse.affine[:3, 3], head.affine[:3, 3])
    assert np.mean(coarse.labels == head.labels[::2, ::2, ::2]) > 0.999
    pons = np.array(coarse.landmarks["pons"].mm)
    np.testing.assert_allclose(pons, head.landmarks["pons"].mm, atol=1e-3)


def test_all_tissues_are_there_and_nested(head):
    labels = head.labels
    assert set(np.unique(labels)) == set(Tissue)

    def touching(tissue: Tissue, other: Tissue) -> float:
        mask = labels == tissue
        return float((binary_dilation(labels == other) & mask).sum() / mask.sum())

    assert touching(Tissue.GREY_MATTER, Tissue.BONE) < 0.03  # CSF and dura lie between
    assert touching(Tissue.GREY_MATTER, Tissue.CSF) > 0.3
    assert touching(Tissue.WHITE_MATTER, Tissue.BONE) == 0
    assert touching(Tissue.BONE, Tissue.BACKGROUND) < 0.001
    assert touching(Tissue.SKIN, Tissue.BACKGROUND) > 0.3
    ml = SPACING**3 / 1000
    cerebrum = np.isin(labels, (Tissue.GREY_MATTER, Tissue.WHITE_MATTER)).sum() * ml
    assert 700 < cerebrum < 1500
    grey = (labels == Tissue.GREY_MATTER).sum() * ml
    assert 0.35 < grey / cerebrum < 0.75


def test_contrasts_show_the_tissues_as_the_modalities_do(head, contrasts):
    def mean(modality: str, tissue: Tissue) -> float:
        return float(contrasts[modality][head.labels == tissue].mean())

    grey, white, csf = Tissue.GREY_MATTER, Tissue.WHITE_MATTER, Tissue.VENTRICLE
    assert mean("T1", csf) < mean("T1", grey) < mean("T1", white) < mean("T1", Tissue.FAT)
    assert mean("T2", white) < mean("T2", grey)
    for modality in ("T1", "T2"):
        assert mean(modality, Tissue.BONE) < 0.5 * mean(modality, white)
    assert 700 < mean("CT", Tissue.BONE) < 1500
    skull = np.isin(head.labels, (Tissue.BONE, Tissue.MARROW))
    assert contrasts["CT"][skull].mean() > 500
    assert 0 < mean("CT", csf) < 20 < mean("CT", white) < mean("CT", grey) < 45
    assert mean("CT", Tissue.BACKGROUND) < -950
    assert contrasts["CT"].min() >= -1024
    for modality, least in (("PET", 1.3), ("SPECT", 1.1)):
        assert mean(modality, grey) > least * mean(modality, white)
        assert mean(modality, Tissue.BACKGROUND) < 0.1 * mean(modality, grey)
        assert contrasts[modality].min() >= 0


@pytest.mark.parametrize(("modality", "width"), [("PET", 5.5), ("SPECT", 9.0)])
def test_emission_has_its_resolution(modality, width):
    labels = np.zeros((80, 64, 64), dtype=np.uint8)
    labels[40:] = Tissue.GREY_MATTER
    axes = [np.arange(n) - n / 2 for n in labels.shape]
    profile = render(labels, axes, modality, np.random.default_rng(0), lesion=0).mean(axis=(1, 2))
    profile /= profile[55:60].mean()
    position = [np.interp(level, profile[25:56], np.arange(25, 56)) for level in (0.1, 0.9)]
    expected = 2 * 1.2816 * width / 2.355  # 10 to 90 % of an edge blurred by a Gaussian
    assert position[1] - position[0] == pytest.approx(expected, rel=0.15)


def test_unknown_modality_is_refused(head):
    with pytest.raises(ValueError, match="no modality 'MR'.*T1, T2, CT, PET, SPECT"):
        head.contrast("MR")


@pytest.mark.parametrize("seed", range(4))
def test_landmarks_lie_in_their_tissue(seed):
    one = make_head(seed, SHAPE, SPACING)
    assert {"left_eye", "right_thalamus", "pineal", "lesion", "pons"} <= set(one.landmarks)
    for name, mark in one.landmarks.items():
        nearest = tuple(np.round(mark.ijk).astype(int))
        assert Tissue(one.labels[nearest]).name.lower() == mark.tissue, name
        np.testing.assert_allclose(one.affine @ [*mark.ijk, 1], [*mark.mm, 1], atol=1e-3)
    left, right = (np.array(one.landmarks[f"{side}_eye"].mm) for side in ("left", "right"))
    assert left[0] < -15 and right[0] > 15  # RAS
    assert left[1] > one.landmarks["pons"].mm[1] + 40
    assert one.landmarks["vertex"].mm[2] > one.landmarks["pineal"].mm[2] + 40


def test_pictures_show_the_front_up_and_the_right_side_at_the_left():
    values = np.zeros((6, 4))
    values[5, 3] = 1  # rightmost, foremost
    picture = Display(np.random.default_rng(0)).mri(values)
    assert picture.shape == (4, 6)
    assert np.argwhere(picture > 0).tolist() == [[0, 0]]


def test_palettes():
    for palette in (PET_PALETTE, SPECT_PALETTE):
        assert palette.shape == (256, 3) and palette.dtype == np.uint8
        assert palette[0].tolist() == [0, 0, 0]
    assert (np.diff(SPECT_PALETTE @ BRIGHTNESS) > -1).all()
    pet = PET_PALETTE @ BRIGHTNESS
    assert 80 < pet.argmax() < 200 and pet[-1] < 0.6 * pet.max()


def test_pairs_are_reproducible_and_as_many_as_asked():
    pairs, again, other = small_pairs(), small_pairs(), small_pairs(seed=1)
    assert [p[0] for p in pairs] == ["CT"] * 2 + ["PET"] * 2 + ["SPECT"] * 2 + [
        "CT",
        "PET",
        "SPECT",
    ]
    assert len({(modality, name) for modality, name, *_ in pairs}) == 9
    for first, second in zip(pairs, again, strict=True):
        assert first[:2] == second[:2]
        np.testing.assert_array_equal(first[2], second[2])
        np.testing.assert_array_equal(first[3], second[3])
    assert not np.array_equal(pairs[0][2], other[0][2])


def test_train_and_val_share_no_case():
    cases = [{int(p[1]) // 1000 for p in small_pairs(split=split)} for split in ("train", "val")]
    assert cases[0] and cases[1] and not cases[0] & cases[1]
    with pytest.raises(ValueError, match="no split 'test': choose one of train, val"):
        small_pairs(split="test")


def test_written_pairs_have_the_layout_and_the_modes(tmp_path):
    assert write_pairs(tmp_path, 1, size=64, split="val") == 3
    for modality, name, fixed, moving in make_pairs(1, size=64, split="val"):
        mode = "L" if modality == "CT" else "RGB"
        for folder, picture, kind in (("MRI", fixed, "L"), (modality, moving, mode)):
            with Image.open(tmp_path / f"{modality}-MRI" / "val" / folder / f"{name}.png") as png:
                assert png.mode == kind and png.size == (64, 64)
                np.testing.assert_array_equal(np.asarray(png), picture)
    assert len(list(tmp_path.rglob("*.png"))) == 9


def test_skull_of_ct_lies_on_the_dark_ring_of_mri():
    shifts = [(0, 0), (0, 5), (0, -5), (5, 0), (-5, 0)]
    pairs = [pair for pair in make_pairs(4, size=128) if pair[0] == "CT"]
    for _, name, fixed, moving in pairs:
        bone = moving == 255
        assert 0.02 < bone.mean() < 0.5, name
        under = [np.roll(fixed, shift, axis=(0, 1))[bone].mean() for shift in shifts]
        assert min(under) == under[0], name


def test_volumes_are_readable_elsewhere_and_share_one_grid(tmp_path):
    made = write_volumes(tmp_path, 2, shape=(64, 78, 64), spacing=3.0)
    names = ("mri_t1", "mri_t2", "ct", "pet", "spect", "labels")
    images = {name: nib.load(tmp_path / f"{name}.nii.gz") for name in names}
    for image in images.values():
        assert image.shape == (64, 78, 64)
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
        np.testing.assert_allclose(image.affine, made.affine)
        assert image.header.get_xyzt_units()[0] == "mm"
    assert images["ct"].get_data_dtype() == np.int16
    labels = np.asarray(images["labels"].dataobj)
    np.testing.assert_array_equal(labels, made.labels)

    document = json.loads((tmp_path / "landmarks.json").read_text(encoding="utf-8"))
    itk_labels = sitk.ReadImage(str(tmp_path / "labels.nii.gz"))
    for name, mark in document["landmarks"].items():
        right, front, top = mark["mm_ras"]
        index = itk_labels.TransformPhysicalPointToContinuousIndex((-right, -front, top))
        np.testing.assert_allclose(index, mark["ijk"], atol=1e-3, err_msg=name)
        assert mark["label"] in document["labels"]
    other = tmp_path / "again"
    write_volumes(other, 2, shape=(64, 78, 64), spacing=3.0)
    for name in (*(f"{name}.nii.gz" for name in names), "landmarks.json"):
        assert (other / name).read_bytes() == (tmp_path / name).read_bytes()


def test_command_writes_pairs_for_both_splits(tmp_path, capsys):
    main(["--output_dir", str(tmp_path / "new"), "--pairs", "1", "--size", "64"])
    found = sorted(p.relative_to(tmp_path / "new").parent for p in tmp_path.rglob("*.png"))
    assert found == sorted(
        Path(f"{modality}-MRI") / split / folder
        for modality in ("CT", "PET", "SPECT")
        for split in ("train", "val")
        for folder in ("MRI", modality, "labels")
    )
    assert str(tmp_path / "new") in capsys.readouterr().out


def test_command_refuses_what_it_cannot_do(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(SystemExit, match=f"{tmp_path}: not empty; name a new or an empty folder"):
        main(["--output_dir", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"mine.txt: not empty; name a new"):
        main(["--output_dir", str(tmp_path / "mine.txt")])
    with pytest.raises(SystemExit, match=r"mine.txt.*: cannot be written"):
        main(["--output_dir", str(tmp_path / "mine.txt" / "new")])
    for size in ("31", "100000"):
        with pytest.raises(SystemExit, match="and a size of 32 to 2048"):
            main(["--output_dir", str(tmp_path / "new"), "--size", size])
    with pytest.raises(SystemExit, match="at least 1 pair"):
        main(["--output_dir", str(tmp_path / "new"), "--pairs", "0"])
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_command_leaves_nothing_where_it_is_stopped(tmp_path, monkeypatch):
    def stopped(folder, *_):
        (folder / "half.png").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("scripts.make_phantom.write_pairs", stopped)
    with pytest.raises(SystemExit):
        main(["--output_dir", str(tmp_path / "new"), "--pairs", "1"])
    assert not list(tmp_path.iterdir())


def test_a_bids_dataset_of_different_heads_away_from_their_t1w(tmp_path):
    write_bids(tmp_path, 2, shape=(24, 24, 6), spacing=(9.0, 9.0, 30.0))
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.nii.gz"))
    names = ("anat/{}_T1w", "ct/{}_ct", "pet/{}_trc-FDG_pet")
    subjects = ("sub-01", "sub-02")
    assert found == [f"{s}/{name.format(s)}.nii.gz" for s in subjects for name in names]
    images = [nib.load(tmp_path / name) for name in found]
    motions = [image.affine @ np.linalg.inv(images[0].affine) for image in images]
    assert np.array_equal(motions[3], np.eye(4))
    for motion in (motions[1], motions[2], motions[4], motions[5]):
        assert np.allclose(motion[:3, :3] @ motion[:3, :3].T, np.eye(3), atol=1e-6)
        assert 0.1 < np.linalg.norm(motion[:3, 3]) < 14
    assert not np.array_equal(images[0].get_fdata(), images[3].get_fdata())
