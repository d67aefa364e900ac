"""Seeded misalignments with a known transform, and the errors printed of them."""

import csv

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.checks.misalignment import misaligned
from scripts import volume_accuracy
from tests.scripts.test_demo import Still


def head():
    z, y, x = np.indices((16, 64, 64))
    inside = ((z - 8) / 12) ** 2 + ((y - 32) / 24) ** 2 + ((x - 32) / 20) ** 2 < 1
    values = inside * (100.0 + 3 * x + 2 * y)
    volume = sitk.GetImageFromArray(values)
    volume.SetSpacing((3.0, 3.0, 3.0))
    return sitk.DiscreteGaussian(volume, 20.0)


def test_the_transform_is_the_truth():
    aligned = head()
    truth, moved = misaligned(aligned, seed=3)
    _, again = misaligned(aligned, seed=3)
    assert (sitk.GetArrayFromImage(again) == sitk.GetArrayFromImage(moved)).all()
    back = sitk.Resample(moved, aligned, truth, sitk.sitkLinear, 0.0)
    arrays = [sitk.GetArrayFromImage(v)[4:-4] for v in (aligned, moved, back)]
    error = [np.abs(array - arrays[0]).mean() for array in arrays]
    assert error[2] < 0.15 * error[1]


def test_errors_of_a_network_that_does_nothing(tmp_path, capsys):
    for name in ("f", "m"):
        sitk.WriteImage(sitk.Cast(head(), sitk.sitkFloat32), str(tmp_path / f"{name}.nii.gz"))
    torch.save(Still().state_dict(), tmp_path / "still.pt")
    files = ["--fixed", str(tmp_path / "f.nii.gz"), "--moving", str(tmp_path / "m.nii.gz")]
    out = ["--output_dir", str(tmp_path / "out"), "--checkpoint", str(tmp_path / "still.pt")]
    network = {"network_def": {"_target_": "tests.scripts.test_demo.Still"}, "device": "cpu"}
    volume_accuracy.main([*files, *out, "--seeds", "1", "--slices", "20"], **network)
    with (tmp_path / "out" / "accuracy.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["network"]) == pytest.approx(float(row["start"]), abs=1e-3)
    assert float(row["start"]) < float(row["before"])
    assert "network" in capsys.readouterr().out
    assert sitk.ReadImage(str(tmp_path / "out" / "fixed.nii.gz")).GetSize() == (64, 64, 20)
