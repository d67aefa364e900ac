"""A run that is killed without warning, and one whose disk is full."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from bundle.phantom.pairs import write_pairs

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder, 1, size=64, split="train")
    write_pairs(folder, 1, size=64, split="val")
    return folder


def command(pairs, folder, *options):
    return [
        sys.executable, "-m", "monai.bundle", "run", "training", "--config_file",
        "configs/train.json", "--dataset_dir", str(pairs), "--ckpt_dir", str(folder),
        "--image_size", "64", "--reduction", "4", "--batch_size", "1", "--num_workers", "0",
        "--stage", "registration", "--val_interval", "999", "--device", "cpu", *options,
    ]  # fmt: skip


def run(words, **settings):
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, encoding="utf-8", check=False, **settings
    )
    return done.returncode, done.stdout + done.stderr


def test_a_killed_run_goes_on_from_its_last_checkpoint(pairs, tmp_path):
    last = tmp_path / "last.pt"
    words = command(pairs, tmp_path, "--max_epochs", "500")
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:  # fmt: skip
        while not last.exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    epoch = torch.load(last, weights_only=True)["trainer"]["iteration"] // 3
    (tmp_path / "last.tmp").write_bytes(b"half a checkpoint")  # as if killed while writing it
    words = command(pairs, tmp_path, "--max_epochs", str(epoch + 1), "--resume", "true")
    status, said = run(words)
    assert status == 0 and f"resumed from {last}, epoch {epoch}" in said, said
    assert f"epoch {epoch + 1}:" in said and f"epoch {epoch}:" not in said
    assert torch.load(last, weights_only=True)["trainer"]["iteration"] == 3 * (epoch + 1)
    assert not (tmp_path / "last.tmp").exists()

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    state = torch.load(last, weights_only=True)
    torch.save(state | {"best": {"best": 0.0}}, last)  # no better model.pt, which comes first
    before = last.read_bytes()
    words = command(pairs, tmp_path, "--max_epochs", str(epoch + 2), "--resume", "true")
    status, said = run(words, preexec_fn=no_room)
    line = said.splitlines()[-1]
    assert status == 1 and "last.pt: cannot be written (File too large); make room" in line, said
    assert "please report it" not in line and "Traceback" not in said
    assert last.read_bytes() == before
