"""Several processes on this machine: gloo on the CPU, started as users start them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bundle.phantom.pairs import write_pairs
from bundle.training.resume import restore_random

ROOT = Path(__file__).parents[2]
TRAIN = "['configs/train.json','configs/multi_gpu_train.json']"
ENVIRONMENT = os.environ | {"CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Six training pairs and three of validation."""
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder, 2, size=64, split="train")
    write_pairs(folder, 1, size=64, split="val")
    return folder


def options(pairs, folder, **overrides):
    settings = {
        "dataset_dir": pairs, "ckpt_dir": folder, "image_size": 64, "reduction": 4,
        "stage": "registration", "num_workers": 0, "val_interval": 2, "val_stride": 3,
        "max_epochs": 2, "batch_size": 1, "amp": False,
        "learning_rate": 1e-4,  # Adam's first steps blow rounding errors up: at 5e-4 to 3e-3
    } | overrides  # fmt: skip
    pairs_of_words = [(f"--{name}", str(value)) for name, value in settings.items()]
    return [word for both in pairs_of_words for word in both]


def command(*agent):
    torchrun = [sys.executable, "-m", "torch.distributed.run", *agent]
    return [*torchrun, "-m", "monai.bundle", "run", "training", "--config_file", TRAIN]


def torchrun(processes, *words):
    agent = ("--standalone", "--nnodes=1", f"--nproc_per_node={processes}")
    done = subprocess.run(
        [*command(*agent), *words], cwd=ROOT, env=ENVIRONMENT, capture_output=True, encoding="utf-8"
    )
    return done.returncode, done.stdout + done.stderr


def losses(said):
    """Per epoch the means of all terms."""
    lines = re.findall(r"epoch \d+: (.*)", said)
    return [[float(word) for word in line.split()[1::2]] for line in lines]


@pytest.fixture(scope="module")
def two(pairs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    status, said = torchrun(2, *options(pairs, folder))
    assert status == 0, said
    return folder, said


def test_two_processes_learn_what_one_learns_with_the_same_global_batch(pairs, two, tmp_path):
    status, said = torchrun(1, *options(pairs, tmp_path, batch_size=2))
    assert status == 0, said
    both, one = losses(two[1]), losses(said)
    assert len(both) == len(one) == 2
    for shared, alone in zip(both, one, strict=True):
        assert shared == pytest.approx(alone, rel=1e-3, abs=1e-3)


def test_only_the_first_process_reports_and_validates(two):
    folder, said = two
    assert len(re.findall(r"EPE [\d.]+ px over 4 pairs", said)) == 1
    assert (folder / "model.pt").is_file()


@pytest.fixture(scope="module")
def met(pairs, tmp_path_factory):
    """The first of two epochs, by two agents that meet by rendezvous, as machines do."""
    for _ in range(3):  # torch's agents at times lose each other when the work is done
        folder = tmp_path_factory.mktemp("met")
        codes, said = two_agents(options(pairs, folder, **{"train#trainer#max_epochs": 1}))
        if codes == [0, 0]:
            return folder, said
        assert losses(said) and (folder / "last.pt").is_file(), said  # else training failed
    raise AssertionError(said)


def two_agents(words):
    # The store outlives both agents: one that keeps it itself may end while the other needs it.
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    agent = ["--nnodes=2", "--nproc_per_node=1", "--rdzv_backend=c10d", "--rdzv_id=test",
             f"--rdzv_endpoint=127.0.0.1:{store.port}", "--rdzv_conf=is_host=0",
             "--local_addr=127.0.0.1"]  # fmt: skip
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
    agents = [
        subprocess.Popen([*command(*agent), *words], cwd=ROOT, env=ENVIRONMENT, **pipes)
        for _ in range(2)
    ]
    said = "".join(agent.communicate(timeout=300)[0] for agent in agents)
    return [agent.returncode for agent in agents], said


def test_two_agents_train_together(two, met):
    folder, said = met
    assert losses(said) == losses(two[1])[:1]
    state = torch.load(folder / "last.pt", weights_only=True)
    assert state["trainer"]["iteration"] == 3 and len(state["random"]) == 2


def test_every_process_goes_on_with_its_own_random_numbers(pairs, two, met):
    folder, _ = met
    state = torch.load(folder / "last.pt", weights_only=True)
    state["random"][1]["torch"] = torch.Generator().manual_seed(5).get_state()
    torch.save(state, folder / "last.pt")
    status, said = torchrun(2, *options(pairs, folder, resume=True))
    assert status == 0 and "resumed from" in said, said
    resumed = torch.load(folder / "last.pt", weights_only=True)
    whole = torch.load(two[0] / "last.pt", weights_only=True)
    for name, value in whole["network"].items():
        assert torch.equal(value, resumed["network"][name]), name
    first, second = (state["torch"] for state in resumed["random"])
    assert torch.equal(first, whole["random"][0]["torch"])
    assert not torch.equal(first, second)


def test_a_checkpoint_of_other_processes_is_tolerated(two, caplog):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with caplog.at_level("INFO"):
        restore_random(two[0] / "last.pt")
    assert "random numbers of 2 processes" in caplog.text
    assert torch.equal(torch.get_rng_state(), before)
