"""Evaluation and inference by two processes: the files of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bundle.networks import BiMSRec
from bundle.phantom.pairs import write_pairs

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
ONE = [sys.executable]
TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nnodes=1",
       "--nproc_per_node=2"]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A validation pair of each modality, and an untrained network."""
    folder = tmp_path_factory.mktemp("data")
    write_pairs(folder, 1, size=64, split="val")
    torch.manual_seed(0)
    torch.save(BiMSRec().state_dict(), folder / "untrained.pt")
    return folder


def bundle(launcher, *words):
    return subprocess.run(
        [*launcher, "-m", "monai.bundle", "run", *map(str, words)],
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip


def test_shared_evaluation_writes_the_same_tables(data, tmp_path):
    older = tmp_path / "two" / "fields" / "CT_9_small.png"
    older.parent.mkdir(parents=True)
    older.touch()
    for name, launcher, overlays in (
        ("one", ONE, ""), ("two", TWO, ",'configs/multi_gpu_evaluate.json'"),
    ):  # fmt: skip
        configs = f"['configs/train.json','configs/evaluate.json'{overlays}]"
        done = bundle(
            launcher, "evaluating", "--config_file", configs, "--dataset_dir", data,
            "--output_dir", tmp_path / name, "--image_size", 64,
            "--checkpoint", data / "untrained.pt", "--val_stride", 2,
            "--overwrite", "true", "--save_fields", "true",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    files = {path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*")}
    assert files == {path.relative_to(tmp_path / "two") for path in (tmp_path / "two").rglob("*.*")}
    for name in ("metrics.csv", "summary.json", "summary.md", "run.json"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_one_pair_is_enough_for_two_processes(data, tmp_path):
    pictures = data / "CT-MRI" / "val"
    fixed, moving = (str(next((pictures / kind).iterdir())) for kind in ("MRI", "CT"))
    pair = {"id": "p", "fixed": fixed, "moving": moving}
    (tmp_path / "pairs.json").write_text(json.dumps({"testing": [pair]}))
    done = bundle(
        TWO, "--config_file", "['configs/inference.json','configs/multi_gpu_inference.json']",
        "--datalist", tmp_path / "pairs.json", "--output_dir", tmp_path / "out",
        "--checkpoint", data / "untrained.pt",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "p" / "fused.png").is_file()


def test_a_shared_list_is_done_but_for_the_bad_pair(data, tmp_path):
    pictures = data / "CT-MRI" / "val"
    fixed, moving = (next((pictures / kind).iterdir()) for kind in ("MRI", "CT"))
    entries = [{"id": f"p{k}", "fixed": str(fixed), "moving": str(moving)} for k in range(5)]
    entries[0]["moving"] = "nowhere.png"
    (tmp_path / "pairs.json").write_text(json.dumps({"testing": entries}))
    configs = "['configs/inference.json','configs/multi_gpu_inference.json']"
    done = bundle(
        TWO, "--config_file", configs, "--datalist", tmp_path / "pairs.json",
        "--output_dir", tmp_path / "out", "--checkpoint", data / "untrained.pt",
    )  # fmt: skip
    assert done.returncode == 1
    assert "error: p0: " in done.stderr and "nowhere.png" in done.stderr
    found = sorted(path.parent.name for path in (tmp_path / "out").rglob("fused.png"))
    assert found == ["p1", "p2", "p3", "p4"]
