"""What the network that combines two fields is trained on, and its training."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.geometry.transform import as_transform, compose
from bundle.losses.brain import BrainLoss, bound_loss, mean_distance
from bundle.networks.field_combiner import CELL, TwoFields
from bundle.paths import ROOT
from bundle.registration.coarse import coarse_pair, in_voxels
from bundle.registration.combined import LEARNT, WEIGHTS, cells_of, head_cells, in_cells
from bundle.registration.optimised import optimised_field
from bundle.training.combiner import (
    LoadSample,
    RandSample,
    make_sample,
    plans,
    read_prepared,
    sample_records,
    write_arrays,
    write_prepared,
)
from bundle.training.combiner.load import mirrored
from bundle.training.combiner.plan import ALL_ROUNDS, ROUNDS, name_parts
from bundle.training.combiner.prepare import PreparedHead, after_start
from scripts import combiner, field_samples
from tests.inference.images import smooth
from tests.registration.volumes import TILT, coded

CELLS = (20, 16, 18)


def sample(seed=0):
    """Learnt and optimised fall short of the truth by a half and by a third."""
    random = np.random.default_rng(seed)
    truth = np.broadcast_to(random.normal(0, 2, (3, 1, 1, 1)), (3, *CELLS))
    head = np.zeros((1, *CELLS))
    head[:, 5:15, 4:12, 5:13] = 1
    parts = {
        "head": head,
        "learnt": truth / 2,
        "optimised": truth * 2 / 3,
        "spread": np.ones((1, *CELLS)),
        "weights": np.array([0.5, 0.5]),
        "truth": truth,
        "brain": head,
    }
    image = random.integers(0, 256, (2, *(CELL * n for n in CELLS)), dtype=np.uint8)
    return {"image": image, **{name: part.astype(np.float16) for name, part in parts.items()}}


@pytest.fixture
def samples(tmp_path):
    for split, first in (("train", 0), ("val", 10)):
        (tmp_path / split).mkdir()
        for i in range(first, first + 3):
            write_arrays(sample(i), tmp_path / split / f"{i}_PET_head_0{i % 3}_spatial_small.npz")
    return tmp_path


def heads(folder, *numbers):
    for number in numbers:
        (folder / f"head_{number:02d}.nii.gz").touch()
    return folder


def test_every_head_in_every_modality_with_seeds_of_its_own(tmp_path):
    found = plans(heads(tmp_path, 1, 2, 15), "train")
    assert len(found) == 2 * 3 * ALL_ROUNDS == len({plan.seed for plan in found})
    assert {plan.path.name for plan in found} == {"head_01.nii.gz", "head_02.nii.gz"}
    first = found[: 2 * 3]
    assert len({(plan.path, plan.modality) for plan in first}) == len(first)
    kinds = Counter((plan.modality, plan.scan, plan.kind) for plan in found)
    assert kinds == Counter((m, *one) for m in LEARNT for one in ROUNDS * 2)
    assert len({plan.name for plan in found}) == len(found)
    for plan in found:
        assert name_parts(Path("train") / plan.name) == (plan.modality, f"{plan.scan}_{plan.kind}")
    assert plans(tmp_path, "train", 1) == first and plans(tmp_path, "train", 99) == found
    held_out = plans(tmp_path, "val")
    assert {plan.path.name for plan in held_out} == {"head_15.nii.gz"}
    assert not {plan.seed for plan in held_out} & {plan.seed for plan in found}
    with pytest.raises(InputError, match="holds no head for val"):
        plans(tmp_path / "nothing", "val")


def test_the_field_after_a_start_leads_to_where_the_truth_does():
    grid = sitk.Image(8, 9, 10, sitk.sitkUInt8)
    grid.SetSpacing((2.0, 2.5, 3.0))
    grid.SetOrigin((-7.0, 3.0, 5.0))
    truth = sitk.Euler3DTransform((1.0, 2.0, 3.0), 0.1, -0.05, 0.2, (4.0, -3.0, 2.0))
    start = np.eye(4)
    start[:3, 3] = (3.0, -2.0, 1.0)
    start[:2, :2] = [[0.98, -0.17], [0.17, 0.98]]
    field = after_start(truth, start, grid)
    found = compose(start, field)
    for index in ((0, 0, 0), (3, 4, 5), (7, 8, 9)):
        point = grid.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(
            found.TransformPoint(point), truth.TransformPoint(point), atol=1e-4
        )
    assert as_transform(start).TransformPoint((0.0, 0.0, 0.0)) == (3.0, -2.0, 1.0)


def test_a_prepared_head_is_kept_and_registered(tmp_path):
    volume = coded((40, 44, 48), (2.0, 2.0, 2.0), TILT, "PIR")
    image = torch.stack([torch.from_numpy(smooth((44, 40, 48), seed)).float() for seed in (1, 2)])
    head = torch.zeros_like(image[:1])
    head[:, 10:30, 12:30, 14:30] = 1
    pair = coarse_pair(image.clamp(0, 1), head, volume)
    cells = cells_of(pair)
    truth = torch.randn(3, *cells, generator=torch.Generator().manual_seed(0))
    made = PreparedHead(pair, truth, in_cells(pair.head.numpy(), cells))
    write_prepared(made, tmp_path / "one.npz")
    read = read_prepared(tmp_path / "one.npz")
    assert read.pair.spacing == pair.spacing and torch.equal(read.pair.head, pair.head)
    for part in ("GetSize", "GetOrigin", "GetSpacing", "GetDirection"):
        assert getattr(read.pair.grid, part)() == getattr(pair.grid, part)()
    torch.testing.assert_close(read.pair.image, pair.image, atol=1 / 500, rtol=0)
    torch.testing.assert_close(read.truth, truth, atol=2e-3, rtol=0)
    found, near = make_sample(read, "PET", Still()), (slice(None), *head_cells(pair))
    assert not found["learnt"].any() and found["weights"].tolist() == pytest.approx(
        WEIGHTS["PET"], abs=1e-3
    )
    np.testing.assert_allclose(found["truth"], truth[near], atol=2e-3)
    optimised = in_voxels(optimised_field(read.pair, "PET").field, pair.spacing)
    assert np.abs(found["optimised"]).max() > 0.1
    np.testing.assert_allclose(
        found["optimised"], in_cells(optimised, cells)[near], rtol=1e-3, atol=1e-3
    )
    assert found["image"].shape == (2, *(CELL * n for n in found["truth"].shape[1:]))
    (tmp_path / "one.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="one.npz: cannot be read as a prepared head; delete it"):
        read_prepared(tmp_path / "one.npz")


class Still(torch.nn.Module):
    """A network that moves nothing."""

    def register_with_spread(self, image):
        return torch.zeros_like(image[:, :2]), torch.zeros_like(image[:, :2])


def test_an_item_is_what_the_network_and_the_loss_take(samples):
    record = sample_records(samples, "train")[0]
    assert (record["modality"], record["level"]) == ("PET", "spatial_small")
    still = RandSample(mirror_prob=0.0, gamma=(1.0, 1.0))
    item = still(LoadSample()(record))
    fields, made = TwoFields.unpacked(item["image"][None]), sample(0)
    np.testing.assert_allclose(fields.image[0] * 255, made["image"], atol=1e-4)
    np.testing.assert_allclose(fields.learnt[0], made["learnt"])
    np.testing.assert_allclose(item["ddf"], made["truth"])
    assert set(item) == {"path", "name", "modality", "level", "image", "ddf", "brain", "head"}
    batch = {name: item[name][None] for name in ("ddf", "brain", "head")}
    exact = torch.cat([batch["ddf"], torch.zeros_like(batch["head"])], dim=1)
    assert float(BrainLoss()(exact, batch)["loss"]) == pytest.approx(0.1)  # its rounding
    short = mean_distance(fields.learnt, batch["ddf"], batch["brain"])
    length = np.linalg.norm(made["truth"][:, 0, 0, 0].astype(float))
    assert float(short) == pytest.approx(length / 2, rel=1e-3)


def test_the_bound_is_trained_until_95_percent_of_errors_lie_below():
    random = torch.Generator().manual_seed(0)
    truth = torch.zeros(1, 3, 10, 20, 30)
    field = torch.randn(truth.shape, generator=random, requires_grad=True)
    weight = torch.ones_like(truth[:, :1])
    weight[..., :10] = 0
    counted = field.detach().norm(dim=1, keepdim=True)[weight > 0]
    bounds = torch.linspace(1, 4, 301)
    losses = [bound_loss(field, b.expand_as(weight), truth, weight) for b in bounds]
    best = bounds[int(torch.cat(losses).argmin())]
    assert float((counted < best).float().mean()) == pytest.approx(0.95, abs=0.005)
    spread = torch.full_like(weight, 2.0).requires_grad_()
    batch = {"ddf": truth, "brain": weight, "head": weight}
    terms = BrainLoss()(torch.cat([field, spread], dim=1), batch)
    torch.testing.assert_close(terms["loss"], terms["distance"] + terms["bound"])
    terms["bound"].backward()
    assert spread.grad.abs().sum() > 0 and not field.grad.any()


def test_left_and_right_change_places():
    field = torch.arange(3 * 4 * 5 * 6, dtype=torch.float32).view(3, 4, 5, 6)
    found = mirrored("learnt", field)
    torch.testing.assert_close(found[0, 1, 0, 2], field[0, 1, 4, 2])
    torch.testing.assert_close(found[1, 1, 0, 2], -field[1, 1, 4, 2])  # along the columns
    torch.testing.assert_close(mirrored("learnt", found), field)
    torch.testing.assert_close(mirrored("image", field[:2]), field[:2].flip(2))


def test_the_same_seed_draws_the_same(samples):
    record, vary = LoadSample()(sample_records(samples, "train")[0]), RandSample()
    found = []
    for seed in (1, 1, 2):
        vary.set_random_state(seed)
        found.append(vary(record)["image"])
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_a_damaged_sample_is_named(samples):
    path = samples / "train" / "0_PET_head_00_spatial_small.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"0_PET_head_00_spatial_small.npz: cannot be read as a"):
        LoadSample()(sample_records(samples, "train")[0])
    with pytest.raises(InputError, match="holds no samples in train"):
        sample_records(samples / "train", "train")


def test_training_brings_the_field_closer(samples, tmp_path):
    files = str([str(ROOT / "configs" / name) for name in ("train.json", "combiner.json")])
    words = ["-m", "monai.bundle", "run", "training", "--config_file", files]
    words += ["--samples_dir", str(samples), "--ckpt_dir", str(tmp_path / "run")]
    words += ["--max_epochs", "8", "--val_interval", "8", "--num_workers", "0"]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, check=False, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    table = [line.split() for line in done.stdout.splitlines() if "spatial_small   PET" in line]
    before, summed, found = map(float, table[-1][-3:])
    assert found < 0.9 * summed < summed < before, table
    assert (tmp_path / "run" / "model.pt").is_file()


@pytest.fixture
def faked(tmp_path, monkeypatch):
    """Calls are noted; training leaves weights."""
    calls = []

    def call(words, descriptors):
        calls.append(words[:2] if "scripts.field_samples" in words else words[1:4])
        if "--ckpt_dir" in words:
            folder = words[words.index("--ckpt_dir") + 1]
            (tmp_path / "out" / "training").mkdir(exist_ok=True)
            assert folder == str(tmp_path / "out" / "training")
            (tmp_path / "out" / "training" / "model.pt").write_bytes(b"new")

    data = tmp_path / "data"
    (data / "heads").mkdir(parents=True)
    heads(data / "heads", 1, 15)
    (tmp_path / "combiner.pt").write_bytes(b"old")
    (tmp_path / "metadata.json").write_text('{"version": "1"}', encoding="utf-8")
    monkeypatch.setattr(combiner, "_call", call)
    monkeypatch.setattr(combiner, "COMBINER", tmp_path / "combiner.pt")
    monkeypatch.setattr(combiner, "METADATA", tmp_path / "metadata.json")
    return ["--data", str(data), "--output_dir", str(tmp_path / "out")], calls


def test_the_command_puts_weights_and_their_record_in_place(faked, tmp_path, capsys):
    words, calls = faked
    combiner.main(words)
    assert len(calls) == 2
    assert (tmp_path / "combiner.pt").read_bytes() == b"new"
    assert (tmp_path / "combiner.earlier.pt").read_bytes() == b"old"
    record = json.loads((tmp_path / "metadata.json").read_text(encoding="utf-8"))["combiner"]
    assert record["configs"] == ["train.json", "combiner.json"] and len(record["model"]) == 64
    combiner.main(words)
    assert len(calls) == 2 and "done already" in capsys.readouterr().out


def test_a_trial_leaves_the_shipped_weights_alone(faked, tmp_path):
    words, _ = faked
    combiner.main([*words, "--scale", "0.2"])
    assert (tmp_path / "combiner.pt").read_bytes() == b"old"
    assert "combiner" not in (tmp_path / "metadata.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "words", "line"),
    [
        (combiner, ["--data", "{}"], "holds none of aanlib, stacks, heads"),
        (combiner, ["--data", "{}", "--scale", "0"], "--scale 0.0: give a number above 0"),
        (field_samples, ["--heads", "{}", "--output_dir", "{}/o"], "holds no head for train"),
        (field_samples, ["--heads", "{}", "--output_dir", "{}/o", "--rounds", "0"], "give 1 or"),
    ],
)
def test_what_cannot_be_used_is_one_line(command, words, line, tmp_path):
    with pytest.raises(SystemExit, match=line):
        command.main([word.format(tmp_path) for word in words])
