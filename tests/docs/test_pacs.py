"""The commands and the snippet of the page on PACS and DICOM."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import torch

from bundle.phantom.pairs import write_volumes
from scripts import fuse
from tests.images.series import dicom_of
from tests.images.test_suv import header
from tests.inference.stubs import KnownField

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "pacs.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"<!-- tested -->\n```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
(SNIPPET,) = re.findall(r"<!-- tested -->\n```python\n(.*?)```", PAGE, re.DOTALL)
STUB = {
    "network_def": {"_target_": "tests.inference.stubs.KnownField"},
    "checkpoint": "stub.pt",
    "init": "none",
    "plane": "axial",
    "guard": False,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The commands run on a phantom's study, and what they printed."""
    root = tmp_path_factory.mktemp("pacs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        write_volumes("head", shape=(40, 44, 6), spacing=(5.0, 5.0, 20.0))
        tags = {one.keyword: one.value for one in header()}
        for name, modality, more in (("mri_t1", "MR", {}), ("pet", "PT", tags)):
            volume = nibabel.load(f"head/{name}.nii.gz")
            uid, number = ("1.7.1", 1) if modality == "MR" else ("1.7.2", 2)
            dicom_of(
                Path("study", name), np.asarray(volume.dataobj), volume.affine, modality,
                SeriesInstanceUID=uid, SeriesNumber=number, **more,
            )  # fmt: skip
        shutil.copy("head/labels.nii.gz", "labels.nii.gz")
        shutil.make_archive("study", "zip", "study")
        torch.save(KnownField().state_dict(), "stub.pt")
        for command in COMMANDS:
            python, dash, module, *words = shlex.split(command)
            assert (python, dash, module) == (".venv/bin/python", "-m", "scripts.fuse")
            fuse.main(words, **STUB)
        yield root


def test_every_block_is_tested():
    assert len(COMMANDS) == 3
    assert PAGE.count("```bash") + PAGE.count("```python") == PAGE.count("<!-- tested -->")


def test_what_dicom_output_writes(done):
    names = {path.name for path in (done / "out" / "pacs").iterdir()}
    assert (
        set(re.findall(r"^\| `([\w.]+)/?` \|", PAGE, re.MULTILINE)) - {"DICOMDIR", "Units"} <= names
    )
    registered = [pydicom.dcmread(p) for p in (done / "out/pacs/dicom_registered").iterdir()]
    assert {(one.Modality, one.Units) for one in registered} == {("PT", "BQML")}


def test_the_snippet_finds_the_point_of_the_transform(done, monkeypatch):
    monkeypatch.chdir(done)
    names: dict = {}
    exec(SNIPPET, names)
    transform = sitk.ReadTransform("out/pacs/transform.h5")
    expected = transform.TransformPoint((10.0, -5.0, 3.0))
    assert np.linalg.norm(np.subtract(expected, (10.0, -5.0, 3.0))) > 1
    assert np.linalg.norm(names["point"] - expected) < 0.1


def test_uptake_values_and_labels(done):
    factor = 70e3 / 140e6
    plain, suv = (sitk.ReadImage(str(done / f"out/{n}/warped.nii.gz")) for n in ("pacs", "suv"))
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(suv), sitk.GetArrayFromImage(plain) * factor, rtol=1e-5
    )
    for name, applied in (("pacs", False), ("suv", True)):
        report = json.loads((done / "out" / name / "report.json").read_text(encoding="utf-8"))
        assert report["suv"]["factor"] == pytest.approx(factor)
        assert report["suv"]["applied"] == applied
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(done / "labels.nii.gz")))
    rows = list(csv.DictReader((done / "out/suv/labels.csv").open(encoding="utf-8")))
    assert [int(row["label"]) for row in rows] == np.unique(labels[labels > 0]).tolist()
    inside = labels == int(rows[0]["label"])
    expected = sitk.GetArrayFromImage(suv)[inside].mean()
    assert rows[0]["unit"] == "SUV (g/ml)"
    if float(rows[0]["covered"]) == 1:
        assert float(rows[0]["registered"]) == pytest.approx(expected, rel=1e-3)
