"""The training step that stays on its device."""

import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine
from monai.bundle import ConfigParser
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import bundle.training.graphed as graphed
from bundle.errors import InputError
from bundle.evaluation.benchmarks.gpu_cost import gpu_ms
from bundle.networks import BiMSRec
from bundle.training.muon import Muon
from bundle.training.on_device import OnDeviceDataset
from bundle.training.run import restore, save_state
from bundle.training.term_logger import TermLogger
from tests.training.test_training import (  # noqa: F401 (a fixture)
    assert_equal,
    pairs,
    weights_of,
    workflow,
)

CONFIG = json.loads((Path(__file__).parents[2] / "configs" / "train.json").read_text("utf-8"))
NAME = "embedding.embed.0.0.0.weight"
PLACES = torch.tensor([0, 3, 5, 1])
NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def shipped(part):
    """An object as configs/train.json has it."""
    parser = ConfigParser({"part": part, "blend_prob": 0.3})
    return parser.get_parsed_content("part")


def dataset(device="cpu"):
    values = torch.rand(6, 5, 8, 8, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(values, (32, 32), mode="bilinear")
    items = {
        str(number): {"fixed": one[:1], "moving": one[1:]} for number, one in enumerate(smooth)
    }
    found = OnDeviceDataset(
        [{"fixed": name, "moving": name, "modality": "CT"} for name in items],
        lambda item: items[item["fixed"]],
        shipped(CONFIG["train"]["augmentation"]),
        torch.device("cpu"),
        progress=False,
    )
    found.device = torch.device(device)
    found.pictures = {key: value.to(device) for key, value in found.pictures.items()}
    found.places, found.kinds = found.places.to(device), found.kinds.to(device)
    return found


def step(device="cpu", refinements=3, stage="registration", lr=1e-3):
    """A step, and what it takes from a trainer."""
    torch.manual_seed(0)
    network = BiMSRec(reduction=4, stage=stage, refinements=refinements).to(device)
    optimizer = Muon([p for p in network.parameters() if p.requires_grad], lr)
    engine = SimpleNamespace(
        network=network, optimizer=optimizer, loss_function=shipped(CONFIG["loss"]), amp=True
    )
    return graphed.GraphedStep(dataset(device)), engine


def test_steps_learn():
    one, engine = step()
    before = engine.network.state_dict()[NAME].clone()
    engine.network.eval()
    terms = [one(engine, PLACES)[0] for _ in range(30)]
    first = terms[0]
    assert engine.network.training
    assert set(first) == {
        "flows", "ddf", "matches", "rounds", "correspondence", "folding", "loss"
    }  # fmt: skip
    losses = [float(one_of["correspondence"]) for one_of in terms]
    assert sum(losses[-8:]) < sum(losses[:8])  # each step has a misalignment of its own
    assert not torch.equal(engine.network.state_dict()[NAME], before)
    assert first["loss"] == pytest.approx(float(sum(first.values()) - first["loss"]), rel=1e-5)


def test_the_learning_rate_is_that_of_the_schedule():
    one, engine = step(lr=0.0)
    before = {name: value.clone() for name, value in engine.network.state_dict().items()}
    one(engine, PLACES)
    for name, value in engine.network.state_dict().items():
        assert torch.equal(value, before[name])
    moved = []
    for rate in (1e-4, 4e-4):
        one, engine = step()
        before = engine.network.state_dict()[NAME].clone()
        for group in engine.optimizer.param_groups:
            group["lr"] = rate
        one(engine, PLACES)
        assert float(one.lr) == pytest.approx(rate)
        assert [group["lr"] for group in engine.optimizer.param_groups] == [rate, rate]
        moved.append((engine.network.state_dict()[NAME] - before).norm())
    assert moved[1] / moved[0] == pytest.approx(4, rel=0.01)


def test_each_step_takes_its_own_pairs(monkeypatch):
    one, engine = step()
    seen = []
    batch = one.dataset.batch
    monkeypatch.setattr(
        one.dataset,
        "batch",
        lambda places, random: seen.append(places.clone()) or batch(places, random),
    )
    others = PLACES.flip(0)
    kept = PLACES.clone()
    for places in (PLACES, others, PLACES):
        one(engine, places)
    assert [found.tolist() for found in seen] == [kept.tolist(), others.tolist(), kept.tolist()]
    assert torch.equal(PLACES, kept)  # the loader's own tensor is left alone


def test_gradients_are_clipped():
    one, engine = step()
    one.clip = 1e-9
    norms = []
    take = engine.optimizer.step

    def look():
        norms.append(
            torch.nn.utils.get_total_norm([p.grad for p in one.weights if p.grad is not None])
        )
        take()

    engine.optimizer.step = look
    one(engine, PLACES)
    assert 0 < norms[0] <= 1.001e-9


class Strangers(TorchDispatchMode):
    """Collects operations with a tensor that is not on the meta device."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        tensors = [x for x in tree_leaves((args, kwargs, result)) if isinstance(x, torch.Tensor)]
        if any(x.device.type != "meta" and x.numel() > 1 for x in tensors):
            self.found.append((str(function), args[2:], kwargs))
        return result


def drawn_on_meta(*shape, device="cpu", **_):
    return torch.empty(*shape, device=device)


@pytest.fixture
def meta(monkeypatch):
    """A device without numbers: a look at one, a copy to the CPU or a branch on a value, raises."""

    class Meta:
        device = torch.device("meta")

    monkeypatch.setattr(graphed.GraphedStep, "_generator", lambda _: Meta())
    for name in ("rand", "randn"):
        monkeypatch.setattr(f"bundle.transforms.random.torch.{name}", drawn_on_meta)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda _: None)  # torch's part of Muon's step


@pytest.mark.parametrize("stage", ["registration", "fusion", "all"])
def test_a_whole_step_stays_on_its_device(meta, stage):
    """A graph can be recorded only of a step that copies nothing from the CPU and looks at no
    number; with the augmentation and the loss that train.json has."""
    one, engine = step("meta", refinements=1, stage=stage)
    one(engine, PLACES)  # the first one makes the optimiser's state and the windows
    with Strangers() as strangers:
        one._step()
    assert not strangers.found


def test_a_call_sends_the_places_and_waits_for_nothing(meta):
    one, engine = step("meta", refinements=1)
    one(engine, PLACES)
    with Strangers() as strangers:
        (terms,) = one(engine, PLACES)
    assert strangers.found == [("aten.copy_.default", (True,), {})]  # not blocking
    assert all(value.device.type == "meta" for value in terms.values())


def test_the_log_waits_for_a_device_only_when_it_shows_something(monkeypatch):
    trainer = Engine(lambda *_: [{"loss": torch.zeros((), device="meta")}])
    logger = TermLogger()
    logger.attach(trainer)
    monkeypatch.setattr("bundle.training.term_logger.is_main_process", lambda: False)
    monkeypatch.setattr(logger, "_finish", lambda _: None)
    with pytest.raises(RuntimeError, match="meta"):  # the mean of the epoch is the first look
        trainer.run(range(20))
    assert trainer.state.iteration == logger.count == 20


@pytest.mark.parametrize("stage", ["registration", "fusion", "all"])
def test_the_overlay_trains(pairs, tmp_path, stage, capsys):  # noqa: F811
    settings = {"stage": stage, "epoch_pairs": 4, "batch_size": 2, "max_epochs": 1}
    workflow(pairs, tmp_path, ("on_device",), **settings).run()
    said = capsys.readouterr().out
    assert "pairs/s" in said and "EPE in px" in said and "epoch 1: " in said
    BiMSRec().load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    assert state["trainer"]["iteration"] == 2
    moved = weights_of(state["network"]) != weights_of(state["ema"])
    assert moved and state["lr_scheduler"]["last_epoch"] == 2


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(pairs, tmp_path):  # noqa: F811
    settings = {"stage": "registration", "max_epochs": 2, "epoch_pairs": 4, "batch_size": 2}
    workflow(pairs, tmp_path / "whole", ("on_device",), **settings).run()
    stopped = {"train#trainer#max_epochs": 1, **settings}
    workflow(pairs, tmp_path / "parts", ("on_device",), **stopped).run()
    torch.manual_seed(77)
    workflow(pairs, tmp_path / "parts", ("on_device",), **settings, resume=True).run()
    whole, parts = (
        torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "parts")
    )
    assert_equal(whole, parts)


def test_a_run_of_a_gpu_goes_on_without_one(tmp_path):
    one, engine = step()
    one(engine, PLACES)
    for group in engine.optimizer.param_groups:
        group["capturable"] = group["foreach"] = True  # as a graph needs it
    save_state({"optimizer": engine.optimizer}, tmp_path / "last.pt")
    one, engine = step()
    restore({"optimizer": engine.optimizer}, tmp_path / "last.pt")
    (parameter, *_) = engine.optimizer.param_groups[1]["params"]
    parameter.grad = torch.ones_like(parameter)
    engine.optimizer.step()
    assert engine.optimizer.state[parameter]["step"] == 2


def test_several_processes_are_refused(monkeypatch):
    monkeypatch.setattr(graphed, "world_size", lambda: 2)
    one, engine = step()
    with pytest.raises(InputError, match="^on_device.json: trains on one GPU"):
        one(engine, PLACES)


def test_a_loss_that_is_not_finite_stops_the_run(pairs, tmp_path):  # noqa: F811
    settings = {"stage": "registration", "max_epochs": 2, "loss#flows_weight": float("inf")}
    with pytest.raises(SystemExit, match=r"^error: the loss is inf on the pairs \w+ \d+ \(epoch 1"):
        workflow(pairs, tmp_path, ("on_device",), **settings).run()
    (pair,) = json.loads((tmp_path / "not_finite.json").read_text("utf-8"))["pairs"]
    assert Path(pair["fixed"]).is_file() and Path(pair["moving"]).parent.name == pair["modality"]
    assert not (tmp_path / "last.pt").exists()


def test_a_mean_that_is_not_finite_stops_the_run_after_the_epoch():
    """As on a GPU, where single losses are not looked at."""
    trainer = Engine(lambda _, value: [{"loss": torch.tensor(value)}])
    TermLogger().attach(trainer)
    trainer.run([1.0, 2.0])
    assert trainer.state.metrics["loss"] == 1.5
    with pytest.raises(InputError, match="^the loss is nan in epoch 1; lower --learning_rate$"):
        trainer.run([1.0, float("nan"), 2.0])


@pytest.mark.cuda
@NEEDS_GPU
def test_the_recorded_step_learns_on_a_gpu():
    one, engine = step("cuda")
    before = engine.network.state_dict()[NAME].clone()
    (first,) = one(engine, PLACES)
    assert one.run.__name__ == "replay"
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(14):
            (last,) = one(engine, PLACES)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert last["correspondence"] < first["correspondence"]
    assert not torch.equal(engine.network.state_dict()[NAME], before)


@pytest.mark.cuda
@NEEDS_GPU
def test_the_recorded_step_follows_the_learning_rate():
    one, engine = step("cuda", lr=0.0)
    before = engine.network.state_dict()[NAME].clone()
    one(engine, PLACES)
    assert torch.equal(engine.network.state_dict()[NAME], before)
    for group in engine.optimizer.param_groups:
        group["lr"] = 1e-3
    one(engine, PLACES)
    assert not torch.equal(engine.network.state_dict()[NAME], before)


@pytest.mark.cuda
@NEEDS_GPU
def test_time_on_a_gpu():
    assert 0 < gpu_ms(64, 2, "float32", 1) < 60_000
