"""The command, the list and Python are one way: they write the same files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import SimpleITK as sitk
import torch
from monai.bundle import run

from bundle import api, register_and_fuse
from bundle.images.pictures import read_picture
from bundle.phantom.pairs import write_volumes
from bundle.registration import bspline
from scripts import fuse
from tests.inference.images import write_color, write_grey
from tests.inference.stubs import KnownField

ROOT = Path(__file__).resolve().parents[2]
GRID = {"shape": (40, 48, 33), "spacing": (5.0, 5.0, 5.0)}


class Telling(KnownField):
    """Tells the spread of its fields too."""

    def register_with_spread(self, image):
        ddf, apart = self.register(image), torch.tensor([1.0, 2.0]).view(1, 2, 1, 1)
        return ddf, apart.expand_as(ddf)


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """The known network, and its checkpoint, for all three ways."""
    monkeypatch.setattr(api, "load_network", lambda *_: Telling().eval())
    torch.save(Telling().state_dict(), tmp_path / "stub.pt")
    return {
        "network_def": {"_target_": "tests.workflow.test_one_pipeline.Telling"},
        "checkpoint": str(tmp_path / "stub.pt"),
    }


@pytest.fixture
def volumes(tmp_path):
    """MRI and PET of a phantom, the PET turned and moved on a grid of its own."""
    write_volumes(tmp_path / "head", 1, centre=(0.0, 0.0, 0.0), **GRID)
    pet = sitk.ReadImage(str(tmp_path / "head" / "pet.nii.gz"))
    motion = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.02, -0.03, 0.1, (6.0, -4.0, 3.0))
    grid = sitk.ConstantPad(pet, [3, 4, 1], [3, 4, 1], 0.0)
    moved = sitk.Resample(pet, grid, motion.GetInverse(), sitk.sitkLinear, 0.0)
    sitk.WriteImage(moved, str(tmp_path / "pet.nii.gz"))
    return tmp_path / "head" / "mri_t1.nii.gz", tmp_path / "pet.nii.gz"


def three_ways(files, stub, folder, words=(), **options):
    """The folders in which the command, the list and Python write a pair's results."""
    command = ["--fixed", str(files[0]), "--moving", str(files[1]), "--modality", "PET", *words]
    command += ["--output_dir", str(folder / "command"), "--device", "cpu"]
    fuse.main(command, guard=False, **stub)
    pair = {"id": "pair", "fixed": str(files[0]), "moving": str(files[1]), "modality": "PET"}
    (folder / "pairs.json").write_text(json.dumps({"testing": [pair]}))
    given = {**options, "guard": False}
    run(
        config_file=str(ROOT / "configs" / "inference.json"),
        datalist=str(folder / "pairs.json"),
        output_dir=str(folder / "list"),
        device="cpu",
        **given,
        **stub,
    )
    given |= {"modality": "PET", "checkpoint": stub["checkpoint"], "device": "cpu"}
    register_and_fuse(*files, **given).save(folder / "python")
    return [folder / "command", folder / "list" / "pair", folder / "python"]


def untimed(path):
    """A file's bytes, but for the time that the work took."""
    if path.name == "report.json":
        said = json.loads(path.read_text(encoding="utf-8"))
        assert said.pop("seconds") >= 0
        if "seconds" in said["refinement"]:
            assert said["refinement"].pop("seconds") >= 0
        return json.dumps(said).encode()
    if path.name == "report.html":
        text, count = re.subn(
            r"<th>time</th><td>[\d.]+ s</td>", "", path.read_text(encoding="utf-8")
        )
        assert count == 1
        return text.encode()
    return path.read_bytes()


def parts(path):
    """The parameters of each part of a written transform, outermost first."""
    composite = sitk.CompositeTransform(sitk.ReadTransform(str(path)))
    found = [composite.GetNthTransform(k) for k in range(composite.GetNumberOfTransforms())]
    return [(p.GetName(), p.GetFixedParameters(), p.GetParameters()) for p in found]


def require_equal(folders, names):
    """Each folder holds these files, and they are the same."""
    for folder in folders:
        assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    first = folders[0]
    for folder in folders[1:]:
        for name in names:
            if untimed(folder / name) == untimed(first / name):
                continue
            assert name.startswith("transform"), f"{folder / name} is not {first / name}"
            assert parts(folder / name) == parts(first / name)  # HDF5 keeps times


NAMES = ["ddf.nii.gz", "fused.nii.gz", "overlay.png", "report.html", "report.json"]
NAMES += [
    "fused_color.nii.gz",
    "rigid.tfm",
    "transform.h5",
    "transform_inverse.h5",
    "uncertainty.nii.gz",
    "warped.nii.gz",
]


def test_volumes(volumes, stub, tmp_path):
    folders = three_ways(volumes, stub, tmp_path, init="rigid")
    require_equal(folders, NAMES)
    report = json.loads((folders[0] / "report.json").read_text(encoding="utf-8"))
    assert report["parameters"]["init"] == "rigid" and report["field_kept"]
    planes = report["parameters"]["planes"]
    assert planes in (["axial", "coronal", "sagittal"], [report["parameters"]["plane"]])
    page = (folders[0] / "report.html").read_text(encoding="utf-8")
    assert f"rigid start, then network, in {', '.join(planes)} slices" in page
    assert abs(report["start"][0][3]) > 1  # a start was found
    field = sitk.GetArrayFromImage(sitk.ReadImage(str(folders[0] / "ddf.nii.gz")))
    assert abs(field).max() > 4


def test_volumes_with_every_option(volumes, stub, tmp_path, monkeypatch):
    for name, value in {"MESH": 90.0, "SAMPLES": 1000, "SMOOTHED": (4.0,), "ITERATIONS": 3}.items():
        monkeypatch.setattr(bspline, name, value)
    words = [
        "--plane",
        "coronal",
        "--init",
        "none",
        "--refine",
        "bspline",
        "--ct_window",
        "0",
        "80",
    ]
    options = {"plane": "coronal", "init": "none", "refine": "bspline", "ct_window": [0, 80]}
    folders = three_ways(volumes, stub, tmp_path, words, **options)
    require_equal(folders, NAMES)
    report = json.loads((folders[0] / "report.json").read_text(encoding="utf-8"))
    assert report["parameters"]["plane"] == "coronal"
    assert report["parameters"]["planes"] == ["coronal"]
    assert report["parameters"]["ct_window"] == [0, 80]
    assert report["refinement"]["method"] == "bspline"


def test_volumes_without_a_network(volumes, stub, tmp_path):
    folders = three_ways(volumes, stub, tmp_path, ["--rigid_only"], rigid_only=True)
    require_equal(folders, [name for name in NAMES if name != "uncertainty.nii.gz"])
    report = json.loads((folders[0] / "report.json").read_text(encoding="utf-8"))
    assert report["parameters"]["rigid_only"] is True and not report["field_kept"]
    assert report["parameters"]["planes"] == []
    assert not any(one["code"] == "field_dropped" for one in report["notes"])


@pytest.mark.parametrize("size", [(60, 44), (200, 180)])
def test_pictures(size, stub, tmp_path):
    files = write_grey(tmp_path / "f.png", *size), write_color(tmp_path / "m.png", *size, seed=2)
    folders = three_ways(files, stub, tmp_path)
    require_equal(folders, ["ddf.nii.gz", "fused.png", "report.html", "warped.png"])
    assert read_picture(folders[0] / "fused.png").shape == (3, *size)
