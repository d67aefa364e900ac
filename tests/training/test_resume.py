"""What a run that goes on knows: random numbers, the best weights."""

import random

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events

from bundle.errors import InputError
from bundle.training.checkpoint import BestSaver, make_folder
from bundle.training.resume import restore_random
from bundle.training.run import restore, save_state, train
from scripts.command import or_exit

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


def validation(saver, error):
    evaluator = Engine(lambda engine, batch: None)
    evaluator.add_event_handler(
        Events.EPOCH_COMPLETED, lambda engine: engine.state.metrics.update(EPE=error)
    )
    saver.attach(evaluator)
    evaluator.run([0])


def test_the_best_weights_stay_the_best_of_all_parts_of_a_run(tmp_path):
    layer, path = torch.nn.Linear(1, 1), tmp_path / "model.pt"
    torch.nn.init.ones_(layer.weight)
    first = BestSaver(layer, str(path))
    validation(first, 2.0)
    save_state({"best": first}, tmp_path / "last.pt")

    second = BestSaver(layer, str(path))
    restore({"best": second}, tmp_path / "last.pt")
    torch.nn.init.zeros_(layer.weight)
    validation(second, 2.5)
    assert torch.load(path, weights_only=True)["weight"] == 1
    validation(second, 1.5)
    assert torch.load(path, weights_only=True)["weight"] == 0 and second.best == 1.5
    path.unlink()
    validation(second, 3.0)
    assert path.is_file() and second.best == 3.0


def test_a_checkpoint_without_the_best_is_read(tmp_path):
    save_state({}, tmp_path / "last.pt")
    saver = BestSaver(torch.nn.Linear(1, 1), "model.pt")
    restore({"best": saver}, tmp_path / "last.pt")
    assert saver.best == float("inf")


def test_a_new_run_keeps_what_an_earlier_one_left(tmp_path):
    save_state({}, tmp_path / "last.pt")
    assert make_folder(str(tmp_path), resume=True) == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]
    make_folder(str(tmp_path), resume=False)
    assert [path.name for path in tmp_path.iterdir()] == ["last.earlier.pt"]
    save_state({}, tmp_path / "last.pt")
    make_folder(str(tmp_path), resume=False)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"last.earlier.pt", "last.earlier2.pt"}


def test_of_equally_good_weights_the_newest_stay(tmp_path):
    layer, path = torch.nn.Linear(1, 1), tmp_path / "model.pt"
    saver = BestSaver(layer, str(path))
    for number, error in enumerate([2.0, 2.0 + 1e-5, 2.1]):
        torch.nn.init.constant_(layer.weight, number)
        validation(saver, error)
    assert torch.load(path, weights_only=True)["weight"] == 1 and saver.best == 2.0


def test_a_first_error_that_is_no_number_is_not_the_best(tmp_path):
    saver = BestSaver(torch.nn.Linear(1, 1), str(tmp_path / "model.pt"))
    validation(saver, float("nan"))
    validation(saver, 2.0)
    assert saver.best == 2.0


def schedule(rate):
    layer = torch.nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(layer.parameters(), rate)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=100)


def test_a_run_goes_on_with_the_learning_rate_that_is_asked_for(tmp_path):
    parts = [schedule(1e-3), schedule(1e-4), schedule(1e-4)]
    for (optimizer, lr_scheduler), steps in zip(parts, (30, 0, 60), strict=True):
        for _ in range(steps):
            optimizer.step()
            lr_scheduler.step()
    names = ("optimizer", "lr_scheduler")
    save_state(dict(zip(names, parts[0], strict=True)), tmp_path / "last.pt")
    restore(dict(zip(names, parts[1], strict=True)), tmp_path / "last.pt")
    optimizer, lr_scheduler = parts[1]
    for _ in range(30):
        assert optimizer.param_groups[0]["lr"] <= 1e-4
        optimizer.step()
        lr_scheduler.step()
    assert optimizer.param_groups[0]["lr"] == parts[2][0].param_groups[0]["lr"]


def linear(*sizes):
    layers = torch.nn.Sequential(*(torch.nn.Linear(1, size) for size in sizes))
    return {"network": layers, "optimizer": torch.optim.AdamW(layers.parameters())}


def two_groups(layer):
    return torch.optim.AdamW([{"params": [layer.weight]}, {"params": [layer.bias]}])


@pytest.mark.parametrize(
    ("names", "now"),
    [
        (("network",), linear(2)),  # another network
        (("optimizer",), linear(1, 1)),  # of another stage, with more that is trained
        (("optimizer",), {"optimizer": two_groups(torch.nn.Linear(1, 1))}),
    ],
)
def test_a_checkpoint_of_other_options_is_one_line(names, now, tmp_path):
    path = tmp_path / "last.pt"
    save_state(linear(1), path)
    with pytest.raises(InputError) as error:
        restore({name: now[name] for name in names}, path)
    assert str(error.value) == (
        f"{path}: was written with another network, stage or optimizer; resume with the same "
        f"options, or start anew with --initial_weights {tmp_path}/model.pt and another --ckpt_dir"
    )


def test_a_checkpoint_of_other_overlays_is_one_line(tmp_path):
    path = tmp_path / "last.pt"
    save_state({"network": torch.nn.Linear(1, 1)}, path)
    average = torch.nn.Linear(1, 1)
    with pytest.raises(InputError) as error:
        restore({"network": torch.nn.Linear(1, 1), "ema": average}, path)
    assert str(error.value) == (
        f"{path}: was written with other overlays; resume with the same ones, or name another "
        "--ckpt_dir"
    )


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_checkpoint_cut_short_is_one_line(share, tmp_path):
    path, trainer = tmp_path / "last.pt", Engine(lambda *_: None)
    save_state({"trainer": trainer}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(SystemExit) as stop:
        or_exit(train, trainer, {"trainer": trainer}, str(tmp_path), resume=True)
    assert str(stop.value) == (
        f"error: {path}: cannot be read as a checkpoint; start anew with --initial_weights "
        f"{tmp_path}/model.pt"
    )


def test_a_file_that_holds_no_state_is_one_line(tmp_path):
    torch.save([1, 2], tmp_path / "last.pt")
    with pytest.raises(InputError, match=r"last\.pt: cannot be read as a checkpoint"):
        restore({}, tmp_path / "last.pt")
