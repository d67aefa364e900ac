"""Training through the bundle's own configuration, on tiny phantom pairs."""

import errno
import json
import os
import re
import signal
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from monai.bundle import create_workflow
from torch.utils.data import DataLoader, Dataset

from bundle.errors import InputError
from bundle.networks import BiMSRec
from bundle.phantom.pairs import write_pairs
from bundle.training.attached import Attached
from bundle.training.clipping import GradientClipper
from bundle.training.failures import run_or_explain
from bundle.training.run import restore, save_state
from bundle.training.steps import train_step
from bundle.training.validation import RegularValidation
from bundle.workflow.command_options import configuration
from scripts.command import or_exit

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").rglob("*.json"))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder, 1, size=64, split="train")
    write_pairs(folder, 1, size=64, split="val")
    return folder


def workflow(pairs, folder, overlays=(), **overrides):
    return create_workflow(
        config_file=[str(ROOT / "configs" / f"{name}.json") for name in ("train", *overlays)],
        workflow_type="train",
        bundle_root=str(ROOT),
        dataset_dir=str(pairs),
        ckpt_dir=str(folder),
        image_size=64,
        reduction=4,
        num_workers=0,
        device="$torch.device('cpu')",
        **({"batch_size": 1, "val_interval": 1} | overrides),
    )


def weights_of(state):
    """A state to compare as a whole."""
    return {name: value.tolist() for name, value in state.items()}


def assert_equal(whole, parts):
    for part in ("network", "ema"):
        for name, value in whole[part].items():
            assert torch.equal(value, parts[part][name]), f"{part}: {name}"


@pytest.mark.parametrize("overlays", [(), ("on_device",), ("paper",), ("cpu",)])
def test_the_bundle_has_every_required_property(pairs, tmp_path, overlays):
    assert not workflow(pairs, tmp_path, overlays).check_properties()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_handlers_are_addressed_by_name(path):
    """Their places differ from overlay to overlay."""
    assert not re.findall(r"handlers(?:#|::)\d", path.read_text(encoding="utf-8"))


TRAINING = [
    path
    for path in CONFIGS
    if path.parent.name == "recipe"
    or path.stem in ("train", "cpu", "finetune", "on_device", "paper", "multi_gpu_train")
]


@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.name)
def test_every_handler_of_an_overlay_is_there(path):
    train = configuration(str([str(ROOT / "configs" / "train.json"), str(path)]))["train"]
    assert [handler["handlers"] for handler in train["handlers"]] == ["@train#attached"]
    assert len(train["attached"]) == len(set(train["attached"])) >= 6
    for handler in train["attached"]:
        assert "_target_" in train[handler.removeprefix("@train#")], handler


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_process_alone_validates(monkeypatch, rank):
    monkeypatch.setenv("RANK", str(rank))
    trainer, seen = Engine(lambda *_: None), []
    handlers = [
        SimpleNamespace(attach=lambda _: seen.append("first")),
        RegularValidation(interval=1),
        None,  # disabled
        SimpleNamespace(attach=lambda _: seen.append("last")),
    ]
    Attached(handlers).attach(trainer)
    assert seen == ["first", "last"]
    assert trainer.has_event_handler(handlers[1], Events.EPOCH_COMPLETED) == (rank == 0)


def test_the_overlay_of_the_paper_has_its_recipe():
    found = configuration(str([str(ROOT / "configs" / f"{n}.json") for n in ("train", "paper")]))
    assert found["optimizer"]["_target_"] == "torch.optim.Adam"
    assert found["optimizer"]["lr"] == "@learning_rate" and found["learning_rate"] == 5e-5
    assert (found["batch_size"], found["max_epochs"], found["image_size"]) == (8, 100, 256)
    assert found["lr_scheduler"]["factor"] == 1.0 and not found["amp"]
    assert not {"@train#ema", "@train#clipper"} & set(found["train"]["attached"])
    assert found["train"]["saved"]["ema"] is None
    assert "ema" not in found["averaged"] and "@network" in found["averaged"]
    assert found["loss"]["registration_weight"] == 1.0 and found["loss"]["folding_weight"] == 0.0


def test_the_overlay_of_the_paper_trains_by_its_recipe(pairs, tmp_path):
    run = workflow(pairs, tmp_path, ("paper",), max_epochs=1)
    run.run()
    trainer = run.parser.get_parsed_content("train#trainer")
    assert type(trainer.optimizer) is torch.optim.Adam
    assert not any(
        isinstance(handler, GradientClipper)
        for handlers in trainer._event_handlers.values()
        for handler, *_ in handlers
    )
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    assert state["optimizer"]["param_groups"][0]["lr"] == 5e-5
    assert not {"ema", "ema_schedule"} & set(state)
    model = torch.load(tmp_path / "model.pt", weights_only=True)
    assert weights_of(model) == weights_of(state["network"])


def test_a_run_trains_validates_and_goes_on_where_it_stopped(pairs, tmp_path, capsys):
    workflow(pairs, tmp_path, max_epochs=1, stage="registration").run()
    assert "EPE in px" in capsys.readouterr().out
    BiMSRec().load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    first = torch.load(tmp_path / "last.pt", weights_only=True)
    assert first["trainer"]["iteration"] == 3

    model = (tmp_path / "model.pt").read_bytes()
    assert first["best"]["best"] > 0
    torch.save(first | {"best": {"best": 0.0}}, tmp_path / "last.pt")  # cannot be bettered
    workflow(pairs, tmp_path, max_epochs=2, stage="registration", resume=True).run()
    assert (tmp_path / "model.pt").read_bytes() == model
    said = capsys.readouterr().out
    assert "resumed from" in said and "epoch 2:" in said and "epoch 1:" not in said
    second = torch.load(tmp_path / "last.pt", weights_only=True)
    assert second["trainer"]["iteration"] == 6

    workflow(pairs, tmp_path, max_epochs=2, stage="registration", resume=True).run()
    assert "all 2 epochs are done" in capsys.readouterr().out


@pytest.mark.parametrize("more", [{}, {"stage": "all", "epoch_pairs": 4, "val_interval": 1}])
def test_a_resumed_run_gives_the_weights_of_one_that_was_not_interrupted(pairs, tmp_path, more):
    """On one thread, bit by bit; also where an epoch ends within the pairs."""
    assert torch.get_num_threads() == 1
    settings = {"max_epochs": 2, "stage": "registration", "val_interval": 9} | more
    workflow(pairs, tmp_path / "whole", **settings).run()
    stopped = {"train#trainer#max_epochs": 1, **settings}  # the schedule is that of two epochs
    workflow(pairs, tmp_path / "parts", **stopped).run()
    torch.manual_seed(77)  # another process has other random numbers
    workflow(pairs, tmp_path / "parts", **settings, resume=True).run()
    whole, parts = (
        torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "parts")
    )
    assert_equal(whole, parts)


def test_a_run_resumed_with_more_batches_an_epoch_ends_at_the_end_of_its_schedule(pairs, tmp_path):
    """As with another number of processes, or pairs that were added."""
    settings = {"stage": "registration", "val_interval": 9}
    first = {"train#trainer#max_epochs": 1, "max_epochs": 3, **settings}
    workflow(pairs, tmp_path, **first).run()
    workflow(pairs, tmp_path, max_epochs=3, epoch_pairs=6, resume=True, **settings).run()
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    assert (state["trainer"]["iteration"], state["trainer"]["epoch_length"]) == (18, 6)
    assert state["lr_scheduler"]["last_epoch"] == 18
    assert state["optimizer"]["param_groups"][0]["lr"] < 1e-6


def test_a_run_validates_after_its_last_epoch_and_says_that_nothing_is_resumed(
    pairs, tmp_path, capsys
):
    (tmp_path / "model.pt").write_bytes(b"somebody's")
    settings = {"max_epochs": 1, "stage": "registration", "val_interval": 5}
    workflow(pairs, tmp_path, resume=True, **settings).run()
    assert "nothing to resume in" in capsys.readouterr().out
    assert (tmp_path / "model.earlier.pt").read_bytes() == b"somebody's"
    BiMSRec().load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))


def test_a_modality_without_a_share_is_one_line(pairs, tmp_path):
    shares = {"loss#fusion#fixed_share": {"MR": 0.5}, "stage": "fusion", "max_epochs": 1}
    with pytest.raises(SystemExit, match=r"^error: fixed_share: has none for (CT|PET|SPECT); add"):
        workflow(pairs, tmp_path, **shares).run()


def test_mlflow_records_losses_and_validation(pairs, tmp_path):
    workflow(pairs, tmp_path, max_epochs=1, stage="registration", tracking="mlflow").run()
    with sqlite3.connect(tmp_path / "mlruns.db") as store:
        names = {name for (name,) in store.execute("select distinct key from metrics")}
    assert {"flows", "ddf", "correspondence"} <= names
    assert any(name.startswith("EPE_large") for name in names)


def test_the_fusion_stage_moves_the_reconstruction_only(pairs, tmp_path):
    torch.manual_seed(0)
    start = BiMSRec()
    torch.save(start.state_dict(), tmp_path / "start.pt")
    run = workflow(
        pairs, tmp_path, max_epochs=1, stage="fusion", initial_weights=str(tmp_path / "start.pt")
    )
    run.run()
    trained = torch.load(tmp_path / "last.pt", weights_only=True)["network"]
    moved = {
        name.split(".")[0]
        for name, value in start.state_dict().items()
        if not torch.equal(value, trained[name])
    }
    assert moved == {"reconstruction"}


def test_a_loss_that_is_not_finite_names_its_pairs():
    network = BiMSRec(stage="registration", reduction=4)
    engine = SimpleNamespace(
        state=SimpleNamespace(device="cpu"),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        amp=False,
        loss_function=lambda outputs, batch: {"loss": outputs["ddf"].sum() * torch.nan},
        fire_event=lambda event: None,
    )
    batch = {"image": torch.rand(1, 2, 64, 64), "name": ["2007"], "modality": ["CT"]}
    with pytest.raises(FloatingPointError, match="nan on the pairs CT 2007"):
        train_step(engine, batch)


def test_a_loss_that_is_not_finite_stops_with_its_files(pairs, tmp_path, capsys):
    bad = {"loss#flows_weight": float("inf"), "stage": "registration", "max_epochs": 1}
    with pytest.raises(SystemExit, match=r"^error: the loss is inf on the pairs [^\n]*$") as stop:
        workflow(pairs, tmp_path, **bad).run()
    assert str(tmp_path / "not_finite.json") in str(stop.value)
    found = json.loads((tmp_path / "not_finite.json").read_text(encoding="utf-8"))
    assert (found["epoch"], found["iteration"], found["loss"]) == (1, 1, "inf")
    (pair,) = found["pairs"]
    assert Path(pair["fixed"]).is_file() and Path(pair["moving"]).parent.name == pair["modality"]
    assert "Traceback" not in capsys.readouterr().out
    assert not (tmp_path / "last.pt").exists()


def test_too_few_pairs_for_a_batch_are_one_line(pairs, tmp_path):
    with pytest.raises(SystemExit, match=r"^error: 3 training pairs do not .* --batch_size 4"):
        workflow(pairs, tmp_path, **{"train#dataloader#batch_size": 4}).run()


class Killed(Dataset):
    """Its worker process dies at the first item."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)


def test_the_death_of_a_loading_process_is_one_line(tmp_path):
    trainer = Engine(lambda engine, batch: None)
    trainer.state.dataloader = loader = DataLoader(Killed(), num_workers=1)
    run, trainer.run = trainer.run, lambda: run(loader)
    with pytest.raises(SystemExit, match="error: a process that loads data died .* killed"):
        or_exit(run_or_explain, trainer, tmp_path)


def test_a_crash_while_writing_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    layer = torch.nn.Linear(1, 1)
    save_state({"network": layer}, tmp_path / "last.pt")
    before = (tmp_path / "last.pt").read_bytes()

    def fail(_):
        assert (tmp_path / "last.tmp").is_file()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    line = r"last.pt: cannot be written \(No space left on device\); make room, .* --resume true"
    with pytest.raises(InputError, match=line):
        save_state({"network": layer}, tmp_path / "last.pt")
    assert (tmp_path / "last.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]
    monkeypatch.undo()
    restore({"network": torch.nn.Linear(1, 1)}, tmp_path / "last.pt")
