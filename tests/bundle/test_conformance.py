"""What the model zoo's acceptance asks of a bundle, offline."""

import json
from pathlib import Path

import pytest
import torch
from monai.bundle import ckpt_export, create_workflow, verify_net_in_out

ROOT = Path(__file__).resolve().parents[2]
CONFIG = str(ROOT / "configs" / "inference.json")
METADATA = ROOT / "configs" / "metadata.json"


@pytest.fixture(autouse=True)
def _in_the_bundle(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_metadata_tells_its_version_in_the_changelog():
    metadata = json.loads(METADATA.read_text())
    assert metadata["version"] in metadata["changelog"]
    for key in ("references", "intended_use", "data_source", "network_data_format"):
        assert metadata[key]


def test_inference_has_every_required_property():
    workflow = create_workflow(config_file=CONFIG, workflow_type="infer", bundle_root=str(ROOT))
    assert not workflow.check_properties()


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


def test_the_shipped_weights_are_small_and_plain():
    path = ROOT / "models" / "model.pt"
    assert path.stat().st_size < 16 * 2**20
    state = torch.load(path, weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())
