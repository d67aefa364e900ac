from __future__ import annotations

import json
import re
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, run
from PIL import Image

from bundle.export import load_onnx, onnx
from bundle.networks import BiMSRec, load_weights
from bundle.networks.layers import InstanceNorm
from bundle.networks.precision import picture_mean
from bundle.results import whole_file
from scripts import export
from tests.inference.images import write_grey

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The shipped weights in both formats, compared by the command itself."""
    out = tmp_path_factory.mktemp("export")
    export.main(["--output_dir", str(out)])
    return out


def test_torchscript_serves_the_bundle_with_the_same_pictures(folder, tmp_path):
    for number, name in enumerate(("f.png", "m.png")):
        write_grey(tmp_path / name, 60, 44, seed=number)
    pair = {"id": "a", "fixed": "f.png", "moving": "m.png"}
    (tmp_path / "pairs.json").write_text(json.dumps({"testing": [pair]}))
    settings = {"datalist": str(tmp_path / "pairs.json"), "device": "cpu", "bundle_root": str(ROOT)}
    inference, overlay = (str(ROOT / "configs" / f) for f in ("inference.json", "torchscript.json"))
    run(config_file=inference, output_dir=str(tmp_path / "plain"), **settings)
    run(
        config_file=[inference, overlay],
        output_dir=str(tmp_path / "scripted"),
        torchscript=str(folder / "model.ts"),
        **settings,
    )
    for name in ("fused.png", "warped.png"):
        plain, scripted = (
            np.asarray(Image.open(tmp_path / kind / "a" / name), dtype=int)
            for kind in ("plain", "scripted")
        )
        assert np.abs(plain - scripted).max() <= 1


def test_the_report_names_the_torchscript_that_was_used(folder):
    config = ConfigParser()
    config.read_config([ROOT / "configs" / f for f in ("inference.json", "torchscript.json")])
    config["torchscript"], config["checkpoint"] = str(folder / "model.ts"), "other.pt"
    assert config.get_parsed_content("options").checkpoint == folder / "model.ts"


def test_torchscript_has_what_volumes_need(folder):
    scripted = torch.jit.load(folder / "model.ts").eval()
    image = torch.rand(1, 2, 40, 52)
    with torch.no_grad():
        ddf = scripted.register(image)
        assert ddf.shape == (1, 2, 40, 52)
        found, spread = scripted.register_with_spread(image)
        torch.testing.assert_close(found, ddf)
        assert spread.shape == ddf.shape and spread.min() >= 0 and spread.max() > 0
        assert scripted.fuse(image, ddf).shape == (1, 1, 40, 52)


def test_onnx_takes_any_batch_and_size(folder):
    network = load_weights(BiMSRec(), ROOT / "models" / "model.pt")
    model = load_onnx(folder / "model.onnx")
    for shape in [(2, 2, 72, 130), (1, 2, 128, 64), (3, 2, 33, 32), (1, 2, 257, 700)]:
        image = torch.rand(shape)
        with torch.no_grad():
            expected = network(image)
        torch.testing.assert_close(model(image), expected, atol=1e-3, rtol=0)


def exported(layer, values, path):
    """A layer by ONNX Runtime."""
    torch.onnx.export(layer, (values,), str(path), input_names=["image"], dynamo=False)
    return load_onnx(path)(values)


class Mean(torch.nn.Module):
    def forward(self, picture):
        return picture_mean(picture)


@pytest.mark.filterwarnings("ignore")  # of the exporter
@pytest.mark.parametrize("layer", [Mean(), InstanceNorm(4)])
def test_means_of_large_pictures_are_exact_to_six_digits_in_onnx(layer, tmp_path):
    values = torch.rand(1, 4, 256, 704, generator=torch.Generator().manual_seed(0))
    values[..., 128:, :] = 0.7  # as behind a padding: what is alike is rounded alike
    found = exported(layer, values, tmp_path / "layer.onnx")
    torch.testing.assert_close(found.double(), layer.double()(values.double()), atol=5e-6, rtol=0)


def test_both_ends_of_the_sizes_are_compared():
    asked = []

    def model(image):
        asked.append(tuple(image.shape[-2:]))
        return network(image)

    network = torch.nn.Conv2d(2, 3, 1)
    said = export._compare(Path("x.ts"), model, network, seed=0)
    assert {(32, 32), (257, 700)} < set(asked) and len(asked) == 7
    assert "on 7 sizes" in said


def test_the_example_of_the_docs_works(folder, tmp_path, monkeypatch):
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "export").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(block, names)
    assert names["fused"].shape == (1, 1, 200, 240) and names["ddf"].shape == (1, 2, 200, 240)


def test_missing_packages_are_named_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "PACKAGES", ("torch", "no_such_package"))
    with pytest.raises(SystemExit, match="no_such_package not installed: pip install -r"):
        export.main(["--output_dir", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_times_are_a_table(folder, capsys):
    options = ["--output_dir", str(folder), "--formats", "torchscript", "--time"]
    with pytest.raises(SystemExit, match=r"model\.ts: exists already; name another"):
        export.main(options)
    export.main([*options, "--overwrite", "--image_size", "32", "--threads", "1", "--repeats", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3] == "| threads | PyTorch | TorchScript |"
    assert lines[-1].startswith("| 1 | ")


@pytest.fixture
def old(tmp_path):
    """A folder with a file of an earlier export."""
    (tmp_path / "model.ts").write_text("old")
    return tmp_path


def refused(folder, line, *words):
    """Nothing beside the earlier file is left, and that as it was."""
    with pytest.raises(SystemExit, match=line):
        export.main(["--output_dir", str(folder), "--formats", "torchscript", *words])
    (path,) = folder.iterdir()
    assert path.read_text(encoding="utf-8") == "old"


def test_a_file_that_differs_is_not_written(old, monkeypatch):
    monkeypatch.setattr(export, "load_torchscript", lambda path: lambda image: image[:, :1] + 1)
    refused(old, r"model\.ts: would differ from PyTorch \(.*\); not written", "--overwrite")


@pytest.mark.parametrize("reserved", [True, False])
def test_a_full_disk_leaves_the_older_file(old, reserved, monkeypatch):
    if not reserved:  # the disk fills up while the file is written
        monkeypatch.setattr(whole_file, "require_space", lambda *_: None)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # stands for a full disk
    try:
        refused(old, r"model\.ts: cannot be written \(File too large\); make room", "--overwrite")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_is_there_is_not_replaced_unasked(old):
    refused(old, r"model\.ts: exists already; name another --output_dir or add --overwrite$")


def test_a_folder_in_the_place_of_a_file_is_one_line(tmp_path):
    (tmp_path / "model.ts").mkdir()
    with pytest.raises(SystemExit, match=r"model\.ts: exists already; name another"):
        words = ["--output_dir", str(tmp_path), "--formats", "torchscript", "--overwrite"]
        export.main(words)


def test_options_that_make_no_sense_are_refused(tmp_path):
    with pytest.raises(SystemExit, match="32 and more"):
        export.main(["--output_dir", str(tmp_path / "out"), "--image_size", "8"])
    assert not (tmp_path / "out").exists()
