import filecmp
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.bundle import run

from bundle.paths import ROOT
from scripts import fuse
from tests.inference.images import smooth, write_color, write_grey, write_volume
from tests.inference.stubs import KnownField


@pytest.fixture
def stub(tmp_path):
    torch.save(KnownField().state_dict(), tmp_path / "stub.pt")
    return {
        "network_def": {"_target_": "tests.inference.stubs.KnownField"},
        "checkpoint": str(tmp_path / "stub.pt"),
    }


@pytest.fixture
def arguments(tmp_path):
    fixed = write_grey(tmp_path / "f@x.png", seed=1)
    moving = write_color(tmp_path / "$m.png", seed=2)
    out = tmp_path / "out"
    return ["--fixed", str(fixed), "--moving", str(moving), "--output_dir", str(out)]


def test_results_lie_directly_in_the_folder(arguments, stub, tmp_path, capsys):
    fuse.main([*arguments, "--modality", "PET", "--device", "cpu"], **stub)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["ddf.nii.gz", "fused.png", "report.html", "warped.png"]
    captured = capsys.readouterr()
    assert captured.out.strip() == f"results in {tmp_path / 'out'}"
    assert captured.err == ""


def test_results_are_those_of_the_list(arguments, stub, tmp_path):
    fuse.main([*arguments, "--device", "cpu"], **stub)
    pair = {"id": "a", "fixed": arguments[1], "moving": arguments[3]}
    (tmp_path / "pairs.json").write_text(json.dumps({"testing": [pair]}))
    run(
        config_file=str(ROOT / "configs" / "inference.json"),
        datalist=str(tmp_path / "pairs.json"),
        output_dir=str(tmp_path / "list"),
        device="cpu",
        **stub,
    )
    for name in ("fused.png", "warped.png"):
        assert filecmp.cmp(tmp_path / "out" / name, tmp_path / "list" / "a" / name, shallow=False)


@pytest.mark.parametrize("option", ["initial_transform", "labels", "fixed_mask", "moving_mask"])
def test_files_of_a_pair_are_looked_for_before_it_is_read(arguments, stub, tmp_path, option):
    gone = tmp_path / "gone.nii.gz"
    with pytest.raises(SystemExit) as refused:
        fuse.main([*arguments, f"--{option}", str(gone)], **stub)
    assert str(refused.value) == f"error: {gone}: no such file; check the path"  # no "out: " before
    assert not (tmp_path / "out").exists()


def test_existing_results_are_replaced_only_on_request(arguments, stub, capsys):
    fuse.main(arguments, **stub)
    with pytest.raises(SystemExit) as stop:
        fuse.main(arguments, **stub)
    assert stop.value.code == 1
    assert "holds results already" in capsys.readouterr().err
    fuse.main([*arguments, "--overwrite"], **stub)


def test_volumes(stub, tmp_path):
    paths = [write_volume(tmp_path / f"{k}.nii.gz", smooth((4, 40, 36), k)) for k in range(2)]
    out = ["--output_dir", str(tmp_path / "out")]
    fuse.main(["--fixed", str(paths[0]), "--moving", str(paths[1]), *out], **stub)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    results = ["ddf.nii.gz", "fused.nii.gz", "uncertainty.nii.gz", "warped.nii.gz"]
    results += ["rigid.tfm", "transform.h5", "transform_inverse.h5"]
    assert names == sorted([*results, "report.html", "report.json"])


@pytest.mark.parametrize("overrides", [{}, {"checkpoint": "elsewhere.pt"}])
def test_failure_prints_nothing_but_one_line(overrides, arguments, stub, tmp_path, capsys):
    (tmp_path / "f@x.png").write_text("not a picture")
    with pytest.raises(SystemExit) as stop:
        fuse.main(arguments, **{**stub, **overrides})
    message = capsys.readouterr().err or f"{stop.value.code}\n"
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_command_works_from_another_folder(tmp_path):
    command = [sys.executable, "-m", "scripts.fuse", "--fixed", "f", "--moving", "missing.png"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, "--output_dir", "out"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")


def test_a_tilted_ct_and_a_fused_dicom_series(stub, tmp_path, capsys):
    scan = write_scan(tmp_path / "scan ü", 34, tilt=0.2)
    fixed = write_volume(tmp_path / "f.nii.gz", smooth((34, 40, 36), 1))
    out = tmp_path / "out"
    command = ["--fixed", str(fixed), "--moving", str(scan), "--output_dir", str(out)]
    options = ["--init", "center", "--plane", "coronal", "--ct_window", "0", "80"]
    fuse.main([*command, *options, "--dicom_output", "--device", "cpu"], **stub)
    assert "gantry" not in capsys.readouterr().err  # a note, and no warning
    used = sitk.ReadImage(str(out / "moving_used.nii.gz"), sitk.sitkFloat64)
    grid = sitk.ReadImage(str(fixed))
    transform = sitk.ReadTransform(str(out / "transform.h5"))
    lowest = float(sitk.GetArrayFromImage(used).min())
    expected = sitk.GetArrayFromImage(sitk.Resample(used, grid, transform, sitk.sitkLinear, lowest))
    warped = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "warped.nii.gz")))
    assert np.abs(warped - expected).mean() < 1e-3 * np.ptp(warped)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    (note,) = (one for one in report["notes"] if one["code"] == "resampled")
    assert "moving volume: the gantry was tilted by 11.3 degrees" in note["text"]
    assert "gantry" not in str(report["warnings"]) + str(report["suspicious"])
    assert "gantry was tilted" in (out / "report.html").read_text(encoding="utf-8")
    assert report["parameters"]["plane"] == "coronal"
    assert report["parameters"]["ct_window"] == [0, 80]
    assert len(report["parameters"]["weights_sha256"]) == 12
    assert len(list((out / "dicom").iterdir())) == 34
    fuse.main([*command, *options, "--overwrite", "--device", "cpu"], **stub)
    assert not (out / "dicom").exists()


def write_scan(folder, count, tilt):
    """A CT of a smooth pattern, slices 3 mm apart."""
    folder.mkdir()
    values = (1500 * smooth((count, 40, 36), 2) - 900).astype(np.int16)
    for k, plane in enumerate(values):
        image = sitk.GetImageFromArray(plane)
        image.SetSpacing((1.0, 1.0))
        tags = {"0008|0060": "CT", "0020|000e": "1.2.3.4", "0020|000d": "1.2.3"}
        tags |= {"0020|0032": f"0\\{3 * k * tilt}\\{3 * k}", "0020|0037": "1\\0\\0\\0\\1\\0"}
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"{k}.dcm"))
        writer.Execute(image)
    return folder


def test_a_window_the_wrong_way_round_is_one_line(tmp_path):
    words = ["--fixed", "f.nii", "--moving", "m.nii", "--output_dir", str(tmp_path / "out")]
    with pytest.raises(
        SystemExit, match="^error: --ct_window 150,-20: give two numbers, the lower one first$"
    ):
        fuse.main([*words, "--ct_window", "150", "-20"])
    assert not (tmp_path / "out").exists()
