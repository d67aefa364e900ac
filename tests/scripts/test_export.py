from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import run
from PIL import Image

from scripts import export
from tests.inference.images import write_grey

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The shipped weights as TorchScript, compared by the command itself."""
    out = tmp_path_factory.mktemp("export")
    export.main(["--output_dir", str(out), "--repeats", "0"])
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


def test_torchscript_has_what_volumes_need(folder):
    scripted = torch.jit.load(folder / "model.ts").eval()
    image = torch.rand(1, 2, 40, 52)
    with torch.no_grad():
        ddf = scripted.register(image)
        assert ddf.shape == (1, 2, 40, 52)
        assert scripted.fuse(image, ddf).shape == (1, 1, 40, 52)


def test_a_file_that_differs_is_refused(capsys):
    network = torch.nn.Conv2d(2, 3, 1)
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(export.InputError, match="differs from PyTorch"):
        export._compare(Path("x.ts"), lambda x: network(x) + 1, network, [(32, 40)], generator)


def test_options_that_make_no_sense_are_refused(tmp_path):
    with pytest.raises(SystemExit, match="32 and more"):
        export.main(["--output_dir", str(tmp_path / "out"), "--image_size", "8"])
    assert not (tmp_path / "out").exists()
