"""Seeded misalignments with a known transform, and the errors printed of them."""

import csv
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.evaluation.baselines.ants import syn_volumes
from bundle.evaluation.checks import volume_errors
from bundle.evaluation.checks.misalignment import misalignment
from bundle.geometry.head import widened
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
    truth, backward = misalignment(aligned, seed=3)
    moved, again = (
        sitk.Resample(aligned, aligned, transform, sitk.sitkLinear, 0.0)
        for transform in (backward, misalignment(aligned, seed=3)[1])
    )
    assert (sitk.GetArrayFromImage(again) == sitk.GetArrayFromImage(moved)).all()
    back = sitk.Resample(moved, aligned, truth, sitk.sitkLinear, 0.0)
    arrays = [sitk.GetArrayFromImage(v)[4:-4] for v in (aligned, moved, back)]
    error = [np.abs(array - arrays[0]).mean() for array in arrays]
    assert error[2] < 0.15 * error[1]


def test_errors_of_a_network_that_does_nothing(tmp_path, capsys, monkeypatch):
    for name in ("f", "m"):
        sitk.WriteImage(sitk.Cast(head(), sitk.sitkFloat32), str(tmp_path / f"{name}.nii.gz"))
    monkeypatch.setattr(volume_accuracy, "load_network", lambda *_: Still().eval())
    files = ["--fixed", str(tmp_path / "f.nii.gz"), "--moving", str(tmp_path / "m.nii.gz")]
    out = ["--output_dir", str(tmp_path / "out")]
    volume_accuracy.main([*files, *out, "--seeds", "1", "--slices", "20"])
    with pytest.raises(SystemExit, match=r"accuracy\.csv: exists already; name another folder"):
        volume_accuracy.main([*files, *out, "--seeds", "1"])
    with pytest.raises(SystemExit, match="--slices 1: give at least 2"):
        volume_accuracy.main([*files, *out, "--slices", "1"])
    with (tmp_path / "out" / "accuracy.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["network"]) == pytest.approx(float(row["start"]), abs=1e-3)
    assert float(row["start"]) < float(row["before"])
    assert "network" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["accuracy.csv"]


def test_the_phantom_s_truth_has_no_error_and_whole_labels(monkeypatch):
    grid = {"shape": (40, 48, 12), "spacing": (5.0, 5.0, 10.0), "centre": (0.0, 0.0, 0.0)}
    monkeypatch.setattr(volume_errors, "GRID", grid)
    pair = volume_errors.phantom_pair("PET", 2)
    assert pair.labels is not None and pair.landmarks is not None and len(pair.landmarks) > 3
    inside = sitk.GetArrayFromImage(pair.labels) > 0
    assert np.corrcoef(sitk.GetArrayFromImage(pair.fixed).ravel(), inside.ravel())[0, 1] > 0.5
    still = sitk.Transform(3, sitk.sitkIdentity)
    shift = sitk.TranslationTransform(3, (3.0, 0.0, -4.0))
    assert volume_errors.landmark_error(shift, still, pair.landmarks) == pytest.approx(5.0)
    assert volume_errors.mean_error(shift, still, pair.labels) == pytest.approx(5.0)
    assert volume_errors.mean_dice(still, still, pair.labels) == 1.0
    assert volume_errors.mean_dice(shift, still, pair.labels) < 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "name --fixed and --moving, or --phantom"),
        (["--phantom", "CT", "--seeds", "0"], "--seeds: give at least 1"),
        (["--phantom", "CT", "--ants"], "antspyx: not installed; run .*, or leave ants out"),
    ],
)
def test_what_cannot_be_measured_is_one_line(options, message, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ants", None)  # as if antspyx were missing
    with pytest.raises(SystemExit, match=f"^error: {message}[^\n]*$"):
        volume_accuracy.main([*options, "--output_dir", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_ants_brings_a_volume_back_in_space(tmp_path):
    pytest.importorskip("ants", reason="antspyx is not installed")
    volume = head()
    volume.SetDirection([-1, 0, 0, 0, -1, 0, 0, 0, 1])
    volume.SetOrigin((90.0, 80.0, -20.0))
    shift = sitk.TranslationTransform(3, (4.0, -3.0, 0.0))
    moved = sitk.Resample(volume, volume, shift.GetInverse(), sitk.sitkLinear, 0.0)
    still = sitk.Transform(3, sitk.sitkIdentity)
    found = syn_volumes(volume, moved, widened(volume > 60, 9.0), still)
    assert volume_errors.mean_error(found, shift, volume > 60) < 3.5  # 5 before
