"""The commands of docs/own-data.md, one after the other, on phantom heads."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bundle.networks import BiMSRec, FieldCombiner
from bundle.phantom.pairs import write_volumes

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"<!-- tested -->\n```bash\n(.*?)\n```", PAGE, re.DOTALL)
QUICK = {
    "scripts.prepare_volumes": "--size 64 --step 20",
    "training": "--max_epochs 2 --early_stopping 1 --image_size 64 --reduction 4 --batch_size 2"
    " --num_workers 0 --stage registration",
    "evaluating": "--image_size 64 --val_stride 2",
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the repository with untrained weights and the volumes that the page names."""
    root = tmp_path_factory.mktemp("own") / "checkout"
    for folder in ("bundle", "configs", "scripts"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "models").mkdir()
    torch.manual_seed(0)
    torch.save(BiMSRec().state_dict(), root / "models" / "model.pt")
    torch.save(FieldCombiner().state_dict(), root / "models" / "combiner.pt")
    (datalist,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    (root / "volumes.json").write_text(datalist)
    for seed, name in enumerate(("anna", "bert")):
        write_volumes(root / name, seed, shape=(56, 56, 12), spacing=(4.0, 4.0, 10.0))
    return root


def test_the_four_commands_lead_to_tables_of_tuned_weights(checkout):
    assert len(COMMANDS) == 4
    for command in COMMANDS:
        words = shlex.split(command)
        assert words[0] == ".venv/bin/python"
        quick = next((text for name, text in QUICK.items() if name in words), "")
        done = subprocess.run(
            [sys.executable, *words[1:], *quick.split()],
            cwd=checkout, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        assert done.returncode == 0, command + done.stdout + done.stderr
    before = torch.load(checkout / "models" / "model.pt", weights_only=True)
    tuned = torch.load(checkout / "runs" / "mine" / "model.pt", weights_only=True)
    assert before.keys() == tuned.keys()
    moved = {
        name.split(".")[0]
        for name in tuned
        if not torch.allclose(before[name], tuned[name], atol=1e-5)  # averaging rounds
    }
    assert moved and "reconstruction" not in moved
    assert (checkout / "out" / "evaluation" / "summary.md").is_file()
