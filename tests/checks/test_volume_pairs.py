"""The pairs of the suite: real stacks without their gaps, BrainWeb, painted heads."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.domain import MODALITIES
from bundle.errors import InputError
from bundle.evaluation.checks.brain import brain_in_skull, brain_in_tracer
from bundle.evaluation.checks.misaligned import misaligned
from bundle.evaluation.checks.stack_pairs import stack_pair
from bundle.evaluation.checks.volume_pairs import (
    painted_pair,
    part_pair,
    slab_pair,
    sources,
)
from bundle.training.heads.tissues import Tissue

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA.name} is not beside the project")


def skull(shape=(64, 64)):
    """A CT slice that was windowed for the brain: air, bone and what it encloses."""
    rows, columns = np.indices(shape)
    away = np.hypot(rows - 32, columns - 32)
    return np.where(away < 20, 120.0, np.where(away < 25, 255.0, 0.0))


def write(path, slices, spacing):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(np.stack(slices).astype(np.uint8))
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path))


def test_a_stack_has_no_gaps_and_errors_count_where_slices_were_there(tmp_path):
    spacing, blank = (2.0, 2.0, 7.0), np.zeros((64, 64))
    slices = [blank, skull(), skull(), blank, 0.5 * skull(), skull(), blank]
    patient = tmp_path / "val" / "Someone"
    for name in ("MR-PD_1", "MR-T2_1", "CT_1"):
        values = [0.5 * s for s in slices] if name == "MR-PD_1" else slices
        write(patient / f"{name}.nii.gz", values, spacing)
    pair = stack_pair(tmp_path, "CT", seed=3)
    fixed, where = (sitk.GetArrayFromImage(v) for v in (pair.fixed, pair.counted))
    assert fixed.shape == (5, 64, 64) and fixed.max() == 255  # T2, not PD
    assert np.allclose(fixed[2], 0.75 * skull(), atol=0.5)
    assert not where[2].any() and where[0].sum() == pytest.approx(np.pi * 20**2, rel=0.1)
    assert pair.fixed.GetSpacing() == spacing and pair.modality == "CT"
    with pytest.raises(InputError, match="holds no stack with PET in val"):
        stack_pair(tmp_path, "PET", 0)


def test_another_matrix_has_the_same_field_of_view(tmp_path):
    patient = tmp_path / "val" / "Someone"
    write(patient / "MR-T1_1.nii.gz", [skull()] * 4, (2.0, 2.0, 7.0))
    write(patient / "CT_1.nii.gz", [skull()[::2, ::2]] * 4, (4.0, 4.0, 7.0))
    pair = stack_pair(tmp_path, "CT", 0)
    corners = [
        volume.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, -0.5))
        for volume in (pair.fixed, pair.moving)
    ]
    assert np.allclose(corners, 0.0)
    assert pair.counted.GetSize() == pair.fixed.GetSize()


def test_the_brain_in_ct_is_what_bone_encloses():
    open_skull = np.where(np.indices((64, 64))[0] > 32, 0.0, skull())
    brain = brain_in_skull(np.stack([skull(), open_skull]), 1.0)
    assert brain[0, 32, 32] and not brain[0, 32, 8] and not brain[0, 0, 0]
    assert brain[0].sum() == pytest.approx(np.pi * 20**2, rel=0.15)
    assert not brain[1].any()


def test_the_brain_in_a_tracer_leaves_out_the_scalp_and_keeps_the_ventricles():
    rows, columns = np.indices((96, 96))
    away = np.hypot(rows - 48, columns - 48)
    values = np.where(away < 30, 100.0, 5.0) * (away > 6)
    values[(away > 40) & (away < 43)] = 80.0
    brain = brain_in_tracer(values[None], 1.0)[0]
    assert brain[48, 48] and not brain[48, 48 + 41] and not brain[0, 0]
    assert brain.sum() == pytest.approx(np.pi * 30**2, rel=0.15)
    assert not brain_in_tracer(np.zeros((1, 64, 64)), 1.0).any()


def test_the_suite_has_every_kind_and_takes_beginnings(tmp_path):
    assert [s.kind for s in sources(tmp_path, ["phantom"])] == [f"phantom {m}" for m in MODALITIES]
    assert [s.kind for s in sources(tmp_path, ["phantom PET"])] == ["phantom PET"]
    (tmp_path / "heads").mkdir()
    assert [s.kind for s in sources(tmp_path, ["head SPECT"])] == ["head SPECT"]
    assert [s.kind for s in sources(tmp_path, ["part"])] == [f"part {m}" for m in MODALITIES]
    with pytest.raises(InputError, match="stacks: no such folder; check --data"):
        sources(tmp_path, ["head", "stack CT"])
    with pytest.raises(InputError, match="heads: no such folder; check --data"):
        sources(tmp_path / "none", ["part"])


def test_a_painted_head_s_mri_has_the_contrast_and_slices_that_are_asked_for(tmp_path):
    axes = np.ogrid[:40, :44, :46]
    away = np.sqrt(sum((a - c) ** 2 for a, c in zip(axes, (20, 22, 23), strict=True)))
    tissues = (Tissue.WHITE_MATTER, Tissue.BONE, Tissue.SKIN)
    labels = np.select([away < 12, away < 16, away < 18], tissues, Tissue.BACKGROUND)
    path = str(tmp_path / "head_15.nii.gz")
    sitk.WriteImage(sitk.GetImageFromArray(labels.astype(np.uint8)), path)
    plain, thick, other = (
        painted_pair(tmp_path, "CT", 0, *asked) for asked in ((), ("T1", 4), ("T2", 1))
    )
    assert thick.fixed.GetSpacing() == (1.0, 1.0, 4.0)
    means = sitk.GetArrayFromImage(plain.fixed)[:52].reshape(13, 4, 68, 70).mean(axis=1)
    np.testing.assert_allclose(sitk.GetArrayFromImage(thick.fixed), means, rtol=1e-5)
    first = thick.fixed.TransformIndexToPhysicalPoint((0, 0, 0))
    assert first == pytest.approx(plain.fixed.TransformContinuousIndexToPhysicalPoint((0, 0, 1.5)))
    counted = sitk.GetArrayFromImage(thick.counted)
    assert counted.shape == means.shape
    inside = sitk.GetArrayFromImage(plain.counted) > 0
    assert 4.0 * counted.sum() == pytest.approx(inside.sum(), rel=0.05)
    white = [sitk.GetArrayFromImage(one.fixed)[inside].mean() for one in (plain, other)]
    assert white[1] < 0.7 * white[0]  # white matter is bright in T1, dark in T2
    moving = [sitk.GetArrayFromImage(one.moving) for one in (plain, thick, other)]
    assert (moving[0] == moving[1]).all() and (moving[0] == moving[2]).all()


@needs_data
def test_brainweb_s_slab_is_read_as_stored():
    pair = slab_pair(DATA / "volumes")
    t1, pet, brain = (sitk.GetArrayFromImage(v) for v in (pair.fixed, pair.moving, pair.counted))
    # its PET says MONOCHROME1: SimpleITK alone would show air as the brightest
    assert pet[brain > 0].mean() > 5 * pet[:, :20, :20].mean()
    assert t1[brain > 0].mean() > 5 * t1[:, :20, :20].mean()
    assert 0.6e6 < brain.sum() < 0.9e6


@needs_data
def test_a_part_shows_the_upper_half_of_the_misaligned_head():
    whole, part = (make(DATA / "heads", "SPECT", 1) for make in (painted_pair, part_pair))
    moved, cut = (misaligned(one, 1, "rigid") for one in (whole, part))
    upright = sitk.DICOMOrient(moved.moving, "LPS")
    lacking = upright.GetDepth() - cut.moving.GetDepth()
    assert 0.4 < lacking / upright.GetDepth() < 0.5
    values = sitk.GetArrayFromImage(upright)
    assert (sitk.GetArrayFromImage(cut.moving) == values[lacking:]).all()
    bottom = cut.moving.TransformIndexToPhysicalPoint((0, 0, 0))
    assert bottom == pytest.approx(upright.TransformIndexToPhysicalPoint((0, 0, lacking)))
    seen, all_of_it = (sitk.GetArrayFromImage(one.where).sum() for one in (cut, moved))
    assert 0.3 * all_of_it < seen < 0.9 * all_of_it


@needs_data
@pytest.mark.parametrize("modality", MODALITIES)
def test_real_stacks_of_the_validation(modality):
    pair = stack_pair(DATA / "stacks", modality, 0)
    moving = sitk.GetArrayFromImage(pair.moving)
    assert (moving.reshape(len(moving), -1).max(axis=1) > 0).all()  # no gaps
    litres = sitk.GetArrayFromImage(pair.counted).sum() * np.prod(pair.fixed.GetSpacing()) / 1e6
    assert 0.8 < litres < 1.8
