"""A training step that stays on its device, and runs made of it."""

import copy
import logging
from contextlib import nullcontext

import pytest
import torch
from ignite.engine import Engine
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import bundle.training.graphed as graphed
import bundle.training.graphed_run as graphed_run
from bundle.errors import InputError
from bundle.evaluation.benchmarks.gpu_cost import gpu_ms
from bundle.losses import BiMSRecLoss
from bundle.losses.field import FieldLoss
from bundle.losses.fusion import FusionLoss
from bundle.networks import BiMSRec
from bundle.training.checkpoint import BestSaver, write_state
from bundle.training.muon import Muon
from bundle.training.on_device import OnDeviceDataset
from bundle.training.run import train
from bundle.transforms.misalign import BatchMisalign
from tests.training.test_training import pairs, workflow  # noqa: F401 (a fixture)

NAME = "embedding.embed.0.0.0.weight"


def dataset(device="cpu"):
    values = torch.rand(6, 5, 8, 8, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(values, (32, 32), mode="bilinear")
    items = [
        {"fixed": one[:1], "moving": one[1:], "modality": "CT", "name": str(number)}
        for number, one in enumerate(smooth)
    ]
    found = OnDeviceDataset(
        [
            {"fixed": number, "moving": number, "modality": "CT", "name": number}
            for number in map(str, range(6))
        ],
        lambda item: items[int(item["name"])],
        [BatchMisalign(["small"])],
        torch.device("cpu"),
        progress=False,
    )
    found.device = torch.device(device)
    found.pictures = {key: value.to(device) for key, value in found.pictures.items()}
    found.places, found.kinds = found.places.to(device), found.kinds.to(device)
    return found


def step(device="cpu", refinements=3, stage="registration"):
    torch.manual_seed(0)
    network = BiMSRec(reduction=4, stage=stage, refinements=refinements).to(device)
    optimizer = Muon([p for p in network.parameters() if p.requires_grad])
    shares = {"CT": 0.5, "PET": 0.6, "SPECT": 0.4}
    loss = BiMSRecLoss(FieldLoss(ssim_weight=0.0), fusion=FusionLoss(fixed_share=shares))
    average = copy.deepcopy(network)
    one = graphed.GraphedStep(network.train(), average, loss, optimizer, dataset(device), 4)
    return one, average


def test_schedule_is_the_one_cycle_of_torch():
    optimizer = torch.optim.SGD([torch.zeros(1)])
    schedule = OneCycleLR(optimizer, 1e-3, total_steps=1001, pct_start=0.05)
    for number in range(1001):
        expected = optimizer.param_groups[0]["lr"]
        assert graphed_run.one_cycle(number / 1000, 1e-3) == pytest.approx(
            expected, rel=0.03, abs=1e-8
        )
        optimizer.step()
        if number < 1000:
            schedule.step()


def test_steps_learn_and_the_average_follows_slowly():
    one, average = step()
    before = copy.deepcopy(average.state_dict())
    one(1e-3)
    first = one.terms()
    for _ in range(14):
        one(1e-3)
    assert set(first) >= {"flows", "ddf", "loss"}
    assert one.terms()["correspondence"] < first["correspondence"]
    moved = (one.network.state_dict()[NAME] - before[NAME]).norm()
    followed = (average.state_dict()[NAME] - before[NAME]).norm()
    assert 0 < followed < 0.1 * moved


def test_no_rate_no_change():
    one, average = step()
    one(0.0)
    for name, value in one.network.state_dict().items():
        torch.testing.assert_close(value, average.state_dict()[name])


class Strangers(TorchDispatchMode):
    """Collects operations with a tensor that is not on the meta device."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        tensors = [x for x in tree_leaves((args, kwargs, result)) if isinstance(x, torch.Tensor)]
        if any(x.device.type != "meta" and x.numel() > 1 for x in tensors):
            self.found.add(str(function))
        return result


@pytest.mark.parametrize("stage", ["registration", "fusion", "all"])
def test_a_whole_step_stays_on_its_device(monkeypatch, stage):
    """A graph can be recorded only of a step that copies nothing from the CPU and looks at no
    number; on a meta device there are no numbers, so a look raises."""

    class Meta:
        device = torch.device("meta")

    monkeypatch.setattr(graphed.GraphedStep, "_generator", lambda _: Meta())
    one, _ = step("meta", refinements=1, stage=stage)
    for name in ("rand", "randn"):
        draw = getattr(torch, name)
        monkeypatch.setattr(
            torch, name, lambda *shape, generator, device, draw=draw: draw(*shape, device=device)
        )
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda _: None)  # torch's part of Muon's step
    one._step()  # the first one makes the optimiser's state
    with Strangers() as strangers:
        one._step()
    assert not strangers.found


@pytest.mark.parametrize(
    ("overlays", "stage"),
    [
        (("on_device",), "registration"),
        (("on_device", "graphed"), "registration"),
        (("on_device", "graphed"), "fusion"),
    ],
)
def test_the_overlays_train(pairs, tmp_path, overlays, stage, capsys, monkeypatch):  # noqa: F811
    length = {"seconds": 0.1, "validations": 1} if "graphed" in overlays else {"max_epochs": 1}
    monkeypatch.setattr(graphed_run, "REPORT", 2)
    workflow(pairs, tmp_path, overlays, stage=stage, epoch_repeat=1, **length).run()
    said = capsys.readouterr().out
    assert "pairs/s" in said and "EPE in px" in said
    BiMSRec().load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert (tmp_path / ("average.pt" if "graphed" in overlays else "last.pt")).is_file()


class Validator:
    """Stands for the evaluator; counts its runs."""

    runs = 0
    logger = logging.getLogger("validator")

    def run(self):
        self.runs += 1


def best():
    return BestSaver(torch.nn.Linear(1, 1), "model.pt")


def test_a_run_goes_on_where_it_stopped(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(graphed_run, "REPORT", 1)
    caplog.set_level("INFO")
    clock = iter(range(1000))
    monkeypatch.setattr(graphed_run.time, "perf_counter", lambda: next(clock) / 2)
    first, average = step()
    next(clock)  # a step takes a second from here on
    graphed_run.train(first, Validator(), best(), 1e-3, 3.0, str(tmp_path))
    kept = torch.load(tmp_path / "average.pt", weights_only=True)
    torch.testing.assert_close(kept[NAME], average.state_dict()[NAME])
    assert torch.load(tmp_path / "last.pt", weights_only=True)["steps"] == 3

    second, _ = step()
    validator = Validator()
    graphed_run.train(second, validator, best(), 1e-3, 3.0, str(tmp_path), resume=True)
    assert "raise --seconds" in caplog.text and not validator.runs
    state, expected = second.state_dict(), first.state_dict()
    torch.testing.assert_close(state["network"], expected["network"])
    torch.testing.assert_close(state["optimizer"]["state"], expected["optimizer"]["state"])

    third, _ = step()
    keeper = best()
    keeper.best = 7.0
    graphed_run.train(
        third, validator, keeper, 1e-3, 6.0, str(tmp_path), validations=2, resume=True
    )
    assert "resumed from" in caplog.text and validator.runs == 1  # the other one was before
    assert torch.load(tmp_path / "last.pt", weights_only=True)["steps"] == 6
    assert keeper.best == float("inf")  # what the first part knew
    assert third.optimizer.param_groups[0]["lr"] is third.lr  # and so read off the device
    assert not torch.equal(third.network.state_dict()[NAME], first.network.state_dict()[NAME])


def test_a_run_of_another_kind_is_not_resumed(tmp_path):
    torch.save({"trainer": {}}, tmp_path / "last.pt")
    one, _ = step()
    with pytest.raises(InputError, match=r"last.pt: was written with other overlays"):
        graphed_run.train(one, Validator(), best(), 1e-3, 1.0, str(tmp_path), resume=True)
    write_state({"step": {}}, tmp_path / "last.pt")
    with pytest.raises(InputError, match=r"last.pt: was written with other overlays"):
        trainer = Engine(lambda *_: None)
        train(trainer, {"trainer": trainer}, str(tmp_path), resume=True)


def test_a_run_of_another_stage_is_not_resumed(tmp_path):
    other, _ = step(stage="all")
    write_state({"step": other.state_dict(), "seconds": 0.5, "steps": 1}, tmp_path / "last.pt")
    one, _ = step()
    with pytest.raises(InputError, match=r"last.pt: was written with another network, stage or"):
        graphed_run.train(one, Validator(), best(), 1e-3, 1.0, str(tmp_path), resume=True)


def test_the_overlay_needs_the_one_before_it(pairs, tmp_path):  # noqa: F811
    with pytest.raises(SystemExit) as stop:
        workflow(pairs, tmp_path, ("graphed",), stage="registration").run()
    needs = "error: configs/graphed.json: needs configs/on_device.json before it"
    assert str(stop.value) == needs


def test_several_processes_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(graphed_run, "world_size", lambda: 2)
    one, _ = step()
    with pytest.raises(InputError, match="one GPU"):
        graphed_run.train(one, None, best(), 1e-3, 1.0, str(tmp_path))


def test_no_time_is_refused(tmp_path):
    one, _ = step()
    with pytest.raises(InputError, match="--seconds 0: "):
        graphed_run.train(one, None, best(), 1e-3, 0, str(tmp_path))


def test_a_loss_that_is_not_finite_stops_the_run(monkeypatch, tmp_path):
    monkeypatch.setattr(graphed_run, "REPORT", 1)
    one, _ = step()
    one.loss = lambda outputs, _: {"loss": outputs["ddf"].sum() * float("nan")}
    with pytest.raises(InputError, match="nan after 1 steps"):
        graphed_run.train(one, None, best(), 1e-3, 9.0, str(tmp_path))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_recorded_step_learns_on_a_gpu():
    one, average = step("cuda")
    before = copy.deepcopy(average.state_dict())
    one(1e-3)
    first = one.terms()
    for _ in range(14):
        one(1e-3)
    assert one.run.__name__ == "replay"
    assert one.terms()["correspondence"] < first["correspondence"]
    assert not torch.equal(average.state_dict()[NAME], before[NAME])


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_time_on_a_gpu():
    assert 0 < gpu_ms(64, 2, "float32", 1) < 60_000
