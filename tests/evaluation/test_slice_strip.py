"""Slices of a result, and the values that are shown in air and in bone."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from scripts import slices


def write(path, values):
    image = sitk.GetImageFromArray(values.astype(np.float32))
    image.SetSpacing((4.0, 4.0, 4.0))
    sitk.WriteImage(image, str(path))


@pytest.fixture
def result(tmp_path):
    """Air on the left with one bright voxel, bone on the right with one dark voxel.

    Beside the head the CT shows a table, which fusion drops: it is no bone.
    """
    fixed, warped = np.zeros((40, 40, 40)), np.full((40, 40, 40), -1000.0)
    fixed[:, 6:34, 12:38] = 100.0
    warped[:, 6:34, 25:38] = warped[:, 0, :] = 1500.0
    fused = np.where(fixed > 0, np.where(warped > 0, 1.0, 0.5), 0.0)
    fused[:, 20, 3], fused[:, 20, 35] = 0.25, 0.75
    for name, values in (("fixed", fixed), ("warped", warped), ("fused", fused)):
        write(tmp_path / f"{name}.nii.gz", values)
    report = {"modality": "CT", "display": {"fixed": [0.0, 100.0], "moving": [-20.0, 150.0]}}
    (tmp_path / "report.json").write_text(json.dumps(report), encoding="utf-8")
    return tmp_path


def test_extremes_of_every_slice(result):
    from bundle.evaluation.tables.slice_strip import fused_slices

    found = fused_slices(result / "fixed.nii.gz", result)
    assert len(found) == 10
    for one in found:
        assert one.air == pytest.approx(0.25)
        assert one.bone == pytest.approx(0.75)
        fixed, warped, fused = one.pictures
        assert fixed.max() == 1.0 and warped.min() == 0.0 and fused.shape == (40, 40)


def test_no_bone_is_told_of_other_modalities(result):
    from bundle.evaluation.tables.slice_strip import fused_slices

    report = json.loads((result / "report.json").read_text(encoding="utf-8"))
    (result / "report.json").write_text(json.dumps(report | {"modality": "PET"}), encoding="utf-8")
    assert {one.bone for one in fused_slices(result / "fixed.nii.gz", result)} == {None}


def test_the_command_draws_them(result, capsys):
    files = ["--fixed", str(result / "fixed.nii.gz"), "--results", str(result)]
    slices.main([*files, "--output", str(result / "slices.png")])
    assert "slices.png" in capsys.readouterr().out
    assert Image.open(result / "slices.png").size[0] > 800


def command(result, fixed="fixed.nii.gz", output="slices.png"):
    files = ["--fixed", str(result / fixed), "--results", str(result)]
    slices.main([*files, "--output", str(result / output)])


@pytest.mark.parametrize("text", [None, "{", "{}", "[]", '{"modality": "CT", "display": null}'])
def test_a_folder_without_results_is_one_line(text, result):
    (result / "report.json").unlink()
    if text is not None:
        (result / "report.json").write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match=r"^error: .*report.json: .*; name a folder of results"):
        command(result)


def test_another_fixed_volume_is_one_line(result):
    write(result / "other.nii.gz", np.ones((40, 40, 41)))
    with pytest.raises(SystemExit, match=r"^error: .*other.nii.gz: has other voxels than"):
        command(result, fixed="other.nii.gz")
    assert not (result / "slices.png").exists()


def test_another_kind_of_picture_is_one_line(result):
    with pytest.raises(SystemExit, match=r"^error: .*slices.xyz: .*; name it .png$"):
        command(result, output="slices.xyz")
