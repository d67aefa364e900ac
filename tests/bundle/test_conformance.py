"""What the model zoo's acceptance (its ``ci/verify_bundle.py -m full``) asks, offline."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from monai.bundle import ckpt_export, create_workflow, onnx_export, verify_net_in_out

from tests.inference.images import write_grey

ROOT = Path(__file__).resolve().parents[2]
CONFIG = str(ROOT / "configs" / "inference.json")
METADATA = ROOT / "configs" / "metadata.json"


@pytest.fixture(autouse=True)
def _in_the_bundle(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_the_necessary_files_are_there():
    shipped = ("models/model.pt", "models/combiner.pt")
    for name in ("LICENSE", "configs/metadata.json", "configs/inference.json", *shipped):
        assert (ROOT / name).is_file()
    assert not list(ROOT.glob("large_files.*"))


def test_metadata_tells_its_version_in_the_changelog():
    metadata = json.loads(METADATA.read_text(encoding="utf-8"))
    assert metadata["version"] in metadata["changelog"]


def test_metadata_has_the_types_of_the_schema():
    """The fields of meta_schema_20240725, which ``verify_metadata`` downloads."""
    metadata = json.loads(METADATA.read_text(encoding="utf-8"))
    texts = """schema version monai_version pytorch_version numpy_version task description authors
        copyright data_source data_type image_classes pred_classes intended_use"""
    kinds = dict.fromkeys(texts.split(), str) | {
        **dict.fromkeys(("changelog", "required_packages_version", "supported_apps"), dict),
        "references": list,
    }
    for key, kind in kinds.items():
        assert isinstance(metadata[key], kind), key
    tensors = metadata["network_data_format"]
    for tensor in [*tensors["inputs"].values(), *tensors["outputs"].values()]:
        assert all(isinstance(tensor[key], str) for key in ("type", "format", "dtype"))
        assert all(isinstance(tensor[key], list) for key in ("spatial_shape", "value_range"))
        assert all(isinstance(value, int | float) for value in tensor["value_range"])
        assert len(tensor["channel_def"]) == tensor["num_channels"]


def test_metadata_tells_the_versions_that_are_pinned():
    metadata = json.loads(METADATA.read_text(encoding="utf-8"))
    pins = dict(
        re.findall(
            r"^([\w-]+)==(\S+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.M
        )
    )
    told = metadata["required_packages_version"] | {
        name: metadata[f"{key}_version"]
        for name, key in (("monai", "monai"), ("torch", "pytorch"), ("numpy", "numpy"))
    }
    assert told == {name: pins[name] for name in told}


def test_inference_has_every_required_property():
    workflow = create_workflow(config_file=CONFIG, workflow_type="infer", bundle_root=str(ROOT))
    assert not workflow.check_properties()


def test_inference_runs_from_another_folder(tmp_path):
    for number, name in enumerate(("f.png", "m.png")):
        write_grey(tmp_path / name, 60, 44, seed=number)
    pair = {"id": "a", "fixed": "f.png", "moving": "m.png"}
    (tmp_path / "pairs.json").write_text(json.dumps({"testing": [pair]}))
    command = [sys.executable, "-m", "monai.bundle", "run", "--bundle_root", str(ROOT)]
    command += ["--config_file", CONFIG, "--datalist", "pairs.json", "--output_dir", "out"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (tmp_path / "out" / "a" / "fused.png").is_file()


@pytest.mark.parametrize(
    ("what", "files"), [("training", ["train"]), ("evaluating", ["train", "evaluate"])]
)
def test_training_and_evaluation_start_from_another_folder(what, files, tmp_path):
    names = str([str(ROOT / "configs" / f"{name}.json") for name in files])
    command = [sys.executable, "-m", "monai.bundle", "run", what, "--config_file", names]
    command += ["--bundle_root", str(ROOT), "--dataset_dir", "none", "--output_dir", "out"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    found = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8"
    )
    assert found.returncode == 1
    assert found.stderr.strip().splitlines()[-1].startswith("error: none: no such folder")
    assert "Traceback" not in found.stderr


def test_the_network_keeps_to_its_declared_input_and_output():
    verify_net_in_out("network_def", meta_file=str(METADATA), config_file=CONFIG, device="cpu")


def test_the_shipped_weights_export_by_scripting(tmp_path):
    exported = tmp_path / "model.ts"
    ckpt_export(
        "network_def",
        filepath=str(exported),
        ckpt_file=str(ROOT / "models" / "model.pt"),
        meta_file=str(METADATA),
        config_file=CONFIG,
    )
    scripted = torch.jit.load(exported).eval()
    with torch.no_grad():
        output = scripted(torch.rand(1, 2, 80, 112))
    assert output.shape == (1, 3, 80, 112) and torch.isfinite(output).all()


def test_the_shipped_weights_export_to_onnx_by_tracing(tmp_path):
    exported = tmp_path / "model.onnx"
    onnx_export(
        "network_def",
        filepath=str(exported),
        ckpt_file=str(ROOT / "models" / "model.pt"),
        meta_file=str(METADATA),
        config_file=CONFIG,
        use_trace=True,
        input_shape=[1, 2, 96, 64],
        converter_kwargs={"dynamo": False, "opset_version": 20, "verify": True, "use_ort": True}
        | {"rtol": 0.0, "atol": 1e-3, "device": torch.device("cpu")},
    )
    assert exported.is_file()


def test_weights_are_never_unpickled():
    for folder in ("bundle", "scripts", "configs"):
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in (".py", ".json"):
                calls = re.findall(r"torch\.load\([^\n]*", path.read_text(encoding="utf-8"))
                assert all("weights_only=True" in call for call in calls), path


@pytest.mark.parametrize("name", ["model.pt", "combiner.pt"])
def test_the_shipped_weights_are_small_and_plain(name):
    path = ROOT / "models" / name
    assert path.stat().st_size < 16 * 2**20
    state = torch.load(path, weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())
