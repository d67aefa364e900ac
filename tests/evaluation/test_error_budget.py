"""Error budget: exact parts of made-up errors, the command."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.evaluation.checks.error_budget import COLUMNS, error_budget
from bundle.evaluation.checks.slice_offset import slice_offset
from bundle.phantom.pairs import write_pairs
from scripts.error_budget import main
from tests.inference.images import smooth

SIDE = 16


@pytest.fixture
def grid():
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    return torch.stack([rows, columns]).double() - (SIDE - 1) / 2


def parts(errors, truths=None, mask=None):
    truths = torch.zeros_like(errors) if truths is None else truths
    mask = torch.ones(SIDE, SIDE, dtype=torch.bool) if mask is None else mask
    return dict(zip(COLUMNS, error_budget(errors, truths, mask).tolist(), strict=True))


def test_what_never_changes_is_the_pairs_own(grid):
    shift = torch.full_like(grid, 3.0)
    found = parts(torch.stack([shift, shift, shift]))
    assert found["own"] == pytest.approx(18) == found["error"]
    assert found["affine"] == found["elastic"] == pytest.approx(0)


def test_affine_and_elastic_parts_are_told_apart(grid):
    affine = 0.2 * grid.flip(0) + 1
    wave = torch.cos(2 * torch.pi * grid[:1] / SIDE * 3).repeat(2, 1, 1)
    wave = wave - wave.mean()
    found = parts(torch.stack([affine, -affine]), truths=torch.stack([affine, affine]))
    assert found["before_affine"] == pytest.approx(found["before"])
    assert found["before_elastic"] == pytest.approx(0)
    # two draws of mean 0: the unbiased variance is twice the mean square
    assert found["affine"] == pytest.approx(2 * found["error"])
    assert found["elastic"] == pytest.approx(0)
    both = parts(torch.stack([affine + wave, -affine - wave]))
    assert both["error"] == pytest.approx(both["own"] + both["affine"] + both["elastic"])
    assert both["elastic"] == pytest.approx(2 * float(wave.square().sum(0).mean()), rel=0.05)


def test_many_random_errors_have_no_part_of_their_own():
    errors = torch.randn(400, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    found = parts(errors)
    assert found["own"] == pytest.approx(0, abs=0.02) and found["error"] == pytest.approx(2, 0.02)


def test_only_the_mask_counts(grid):
    mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    mask[4:12, 4:12] = True
    shift = torch.where(mask, 1.0, 100.0).expand(2, 2, SIDE, SIDE)
    assert parts(shift, mask=mask)["own"] == pytest.approx(2)


def test_command_prints_a_row_per_modality_and_level(tmp_path, capsys):
    write_pairs(tmp_path, 2, size=64, split="val")
    main(["--dataset_dir", str(tmp_path), "--deformations", "2", "--stride", "2"])
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()[2:]]
    names = {tuple(cell.strip() for cell in row[:2]) for row in rows}
    assert names == {(m, level) for m in ("CT", "PET", "SPECT") for level in ("small", "medium")}
    for row in rows:
        before, affine, elastic = (float(cell) for cell in row[2:5])
        assert before**2 == pytest.approx(affine**2 + elastic**2, rel=0.02) and before > 2


def test_one_deformation_tells_nothing():
    with pytest.raises(SystemExit, match="2 deformations or more"):
        main(["--deformations", "1"])


@pytest.mark.parametrize("slices", [-1, 0, 1])
def test_a_stack_that_is_off_by_slices_says_so(slices):
    whole = smooth((18, 48, 48), 1, 1.5).clip(0, 1)
    found = slice_offset(whole[4:14], 1 - whole[4 - slices : 14 - slices], np.ones(10, bool))
    assert found.information == pytest.approx(slices, abs=0.3)
    assert found.gradients == pytest.approx(slices, abs=0.3)


def test_offsets_of_stacks_in_mm(tmp_path, capsys):
    patient = tmp_path / "val" / "Someone"
    patient.mkdir(parents=True)
    whole = sitk.GetImageFromArray((255 * smooth((18, 64, 64), 1, 1.5).clip(0, 1)).round())
    whole.SetSpacing((2.0, 2.0, 5.0))
    for name, first in (("MR-T1_1", 4), ("CT_1", 3)):
        image = sitk.Cast(whole[:, :, first : first + 10], sitk.sitkUInt8)
        image.SetOrigin((0.0, 0.0, 0.0))
        sitk.WriteImage(image, str(patient / f"{name}.nii.gz"))
    main(["--stacks", str(tmp_path)])
    row = capsys.readouterr().out.splitlines()[-1].split("|")[1:-1]
    assert [cell.strip() for cell in row[:3]] == ["val", "CT", "Someone"]
    assert [float(cell) for cell in row[4:]] == pytest.approx([5.0, 5.0], abs=1.5)
    with pytest.raises(SystemExit, match="holds no val/PATIENT or train/PATIENT"):
        main(["--stacks", str(tmp_path / "val")])
