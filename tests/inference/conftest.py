from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import run

from tests.inference.stubs import KnownField

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def stub(tmp_path) -> dict[str, Any]:
    """Overrides of ``configs/inference.json``: the known network, its checkpoint, the CPU."""
    torch.save(KnownField().state_dict(), tmp_path / "stub.pt")
    return {
        "network_def": {"_target_": "tests.inference.stubs.KnownField"},
        "checkpoint": str(tmp_path / "stub.pt"),
        "device": "cpu",
        "init": "none",
        "plane": "axial",
        "guard": False,
    }


@pytest.fixture
def infer(stub, tmp_path) -> Callable[..., Path]:
    """Run the bundle over pairs, as the command line does; returns the output folder."""

    def run_bundle(*pairs: dict[str, str], **overrides: Any) -> Path:
        (tmp_path / "pairs.json").write_text(json.dumps({"testing": pairs}))
        settings = {"datalist": str(tmp_path / "pairs.json"), "output_dir": str(tmp_path / "out")}
        config = str(ROOT / "configs" / "inference.json")
        run(config_file=config, **{**stub, **settings, **overrides})
        return tmp_path / "out"

    return run_bundle
