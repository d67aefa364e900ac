"""The command-line client and the Slicer script against the running server."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
import SimpleITK as sitk

from scripts import label_client

ROOT = Path(__file__).resolve().parents[3]


def test_the_client_writes_what_fuse_writes(server, studies, tmp_path, capsys):
    out = tmp_path / "out"
    moving = str(studies / "tracer.nii.gz")  # a file: uploaded under its own name
    arguments = ["--server", server, "--fixed", "head_fixed", "--moving", moving]
    label_client.main([*arguments, "--init", "none", "--output_dir", str(out)])
    names = sorted(path.name for path in out.iterdir())
    volumes = ["ddf.nii.gz", "fused.nii.gz", "uncertainty.nii.gz", "warped.nii.gz"]
    transforms = ["rigid.tfm", "transform.h5", "transform_inverse.h5"]
    assert names == sorted([*volumes, *transforms, "report.html", "report.json"])
    printed = capsys.readouterr().out
    assert json.loads(printed[: printed.rindex("}") + 1]) == json.loads(
        (out / "report.json").read_text(encoding="utf-8")
    )
    with pytest.raises(SystemExit, match="holds results already"):
        label_client.main([*arguments, "--output_dir", str(out)])
    (out / "overlay.png").write_text("of an earlier pair")
    again = [*arguments, "--overwrite", "--init", "center", "--output_dir", str(out)]
    label_client.main(again)  # the file is on the server already
    assert sorted(path.name for path in out.iterdir()) == names
    assert (
        json.loads((out / "report.json").read_text(encoding="utf-8"))["parameters"]["init"]
        == "center"
    )


def test_files_of_one_name_are_two_images(server, studies, tmp_path):
    files = []
    for folder, name in (("a", "head_fixed"), ("b", "tracer")):
        (tmp_path / folder).mkdir()
        files.append(tmp_path / folder / "head_fixed.nii.gz")
        files[-1].write_bytes((studies / f"{name}.nii.gz").read_bytes())
    before = (studies / "head_fixed.nii.gz").read_bytes()
    pair = ["--fixed", str(files[0]), "--moving", str(files[1]), "--init", "none"]
    label_client.main(["--server", server, *pair, "--output_dir", str(tmp_path / "out")])
    assert (studies / "head_fixed.nii.gz").read_bytes() == before
    fixed, warped = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        for path in (files[0], tmp_path / "out" / "warped.nii.gz")
    )
    assert not np.allclose(fixed, warped, atol=0.01 * np.ptp(fixed))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fixed", "nobody", "--moving", "tracer"], "there is no image 'nobody'"),
        (["--server", "127.0.0.1:8000", "--fixed", "a"], "write it as http://"),
        (["--server", "http://127.0.0.1:9", "--fixed", "a", "--moving", "b"], "start it with"),
    ],
)
def test_the_client_says_in_one_line_what_went_wrong(arguments, words, server, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as stop:
        label_client.main(["--server", server, *arguments, "--output_dir", str(out)])
    assert words in str(stop.value) and "\n" not in str(stop.value)
    assert not out.exists()


def test_the_slicer_script_loads_what_simpleitk_can_read_and_keeps_no_file(
    server, tmp_path, monkeypatch
):
    loaded = {}

    def load(path):
        loaded[Path(path)] = sitk.ReadImage(path)
        return MagicMock()

    slicer = MagicMock()
    slicer.util.loadVolume = slicer.util.loadTransform = load
    monkeypatch.setitem(sys.modules, "slicer", slicer)
    text = (ROOT / "scripts" / "slicer_client.py").read_text(encoding="utf-8")
    script = tmp_path / "slicer_client.py"
    script.write_text(text.replace("http://127.0.0.1:8000", server))
    runpy.run_path(str(script))
    names = {path.name: image for path, image in loaded.items()}
    assert set(names) == {"warped.nii.gz", "fused.nii.gz", "ddf.nii.gz", "fixed.nii.gz"}
    assert names["ddf.nii.gz"].GetNumberOfComponentsPerPixel() == 3
    del names["ddf.nii.gz"]
    assert len({image.GetSize() for image in names.values()}) == 1
    assert not [path for path in loaded if path.parent.exists()]
