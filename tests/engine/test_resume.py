"""Random numbers of a checkpoint."""

import random

import numpy as np
import pytest
import torch

from bundle.engine.resume import restore_random
from bundle.engine.run import save_state

NO_GPU = not torch.cuda.is_available()


def draw(device="cpu"):
    return random.random(), float(np.random.rand()), float(torch.rand((), device=device))


def test_every_generator_goes_on_where_the_checkpoint_was_written(tmp_path):
    save_state({}, tmp_path / "last.pt")
    expected = draw()
    draw()
    restore_random(tmp_path / "last.pt")
    assert draw() == expected


def test_a_checkpoint_with_a_gpu_is_read_without_one(tmp_path, monkeypatch):
    save_state({}, tmp_path / "last.pt")
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    state["random"][0]["cuda"] = torch.zeros(16, dtype=torch.uint8)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    torch.save(state, tmp_path / "last.pt")
    expected = draw()
    draw()
    restore_random(tmp_path / "last.pt")
    assert draw() == expected


def test_the_state_of_the_gpu_is_saved_and_restored(tmp_path, monkeypatch):
    written = torch.arange(16, dtype=torch.uint8)
    restored = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda: written)
    monkeypatch.setattr(torch.cuda, "set_rng_state", restored.append)
    save_state({}, tmp_path / "last.pt")
    restore_random(tmp_path / "last.pt")
    assert torch.equal(restored[0], written)


@pytest.mark.cuda
@pytest.mark.skipif(NO_GPU, reason="no CUDA device")
def test_random_numbers_of_the_gpu_go_on(tmp_path):
    save_state({}, tmp_path / "last.pt")
    expected = draw("cuda")
    draw("cuda")
    restore_random(tmp_path / "last.pt")
    assert draw("cuda") == expected
