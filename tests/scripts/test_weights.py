"""The weights are made again by one command: all stages, after any stop, to the bit."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from bundle.networks import BiMSRec
from bundle.networks.weights import load_weights
from bundle.phantom.pairs import write_pairs
from bundle.training import recipe
from bundle.training.tracking.parent import end, parent_run
from scripts import weights

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("registration", "fusion", "joint")
TINY = [
    *("image_size=64", "reduction=4", "batch_size=3", "epoch_pairs=3", "max_epochs=8"),
    *("num_workers=0", "val_interval=99", "panel_interval=99", "device=cpu"),
    "train#epochs#dataset=@validate#dataset",  # every epoch draws the same: its loss can only fall
]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder, 1, size=64, split="train")
    write_pairs(folder, 1, size=64, split="val")
    return folder


@pytest.fixture(scope="module")
def own_recipe(tmp_path_factory):
    """The first stage of the shipped recipe alone."""
    folder = tmp_path_factory.mktemp("own") / "recipe"
    folder.mkdir()
    shutil.copy(recipe.RECIPE / "1_registration.json", folder)
    return folder


def command(pairs, folder, *options, override=()):
    return [
        *(sys.executable, "-m", "scripts.weights", "--data", str(pairs), "--scale", "1e-4"),
        *("--output_dir", str(folder), *options, "--override", *TINY, *override),
    ]


def run(words):
    done = subprocess.run(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def run_until(words, path):
    """Start a command; kill it, and all that it has started, as soon as there is a file."""
    process = subprocess.Popen(
        words, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not path.exists() and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def records(folder):
    """MLflow's runs: the parent, and those of the stages by their time."""
    client = MlflowClient(f"sqlite:///{folder / 'mlruns.db'}")
    experiment = client.get_experiment_by_name("bimsrec")
    found = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])
    return client, found[0], found[1:]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def made(pairs, tmp_path_factory):
    """The shipped recipe, undisturbed, at a tiny scale; what the bundle ships stays as it is."""
    shipped = [(path, path.read_bytes()) for path in (weights.MODEL, recipe.METADATA)]
    folder = tmp_path_factory.mktemp("out") / "my weights"
    status, said = run(command(pairs, folder))
    assert status == 0, said
    assert all(path.read_bytes() == content for path, content in shipped)
    return folder, said


def test_all_stages_leave_weights_and_what_they_were_made_of(made, pairs):
    folder, said = made
    begun = [line for line in said.splitlines() if line.endswith(": begins")]
    assert begun == [f"{stage}: begins" for stage in STAGES]
    assert f"weights: {folder / 'model.pt'}, SHA-256 {sha256(folder / 'model.pt')[:12]}" in said
    assert len({sha256(folder / stage / "model.pt") for stage in STAGES}) == 3
    record = json.loads((folder / "weights.json").read_text(encoding="utf-8"))
    assert record.pop("sha256") == sha256(folder / "model.pt") == sha256(folder / "joint/model.pt")
    assert record.pop("date").startswith("20")
    assert record == {
        "configs": [
            "train.json",
            *(f"recipe/{n + 1}_{stage}.json" for n, stage in enumerate(STAGES)),
        ],
        "data": {"dataset_dir": recipe.folder_digest(pairs)},
        "scale": 1e-4,
        "overrides": dict(word.split("=") for word in TINY),
    }


def test_the_weights_fit_the_network(made):
    load_weights(BiMSRec(reduction=4), made[0] / "model.pt")


def test_every_stage_has_a_record_below_one_parent(made):
    folder, _ = made
    _, parent, stages = records(folder)
    assert (parent.info.run_name, parent.info.status) == ("my weights", "FINISHED")
    assert [run.info.run_name for run in stages] == list(STAGES)
    for run in stages:
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.info.status == "FINISHED"
        # beside the database, not in the folder where the command was started
        (kept,) = (folder / "mlruns").glob(f"**/{run.info.run_id}/artifacts/weights/model.pt")
        assert sha256(kept) == sha256(folder / run.info.run_name / "model.pt")


def test_the_loss_of_every_stage_falls(made):
    client, _, stages = records(made[0])
    for run in stages:
        history = client.get_metric_history(run.info.run_id, "train/loss")
        assert [point.step for point in history] == list(range(1, 9))
        losses = [point.value for point in history]
        assert np.mean(losses[-2:]) < np.mean(losses[:2]), (run.info.run_name, losses)


def test_a_second_call_does_nothing(made, pairs):
    folder, _ = made
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    status, said = run(command(pairs, folder))
    assert status == 0 and "begins" not in said, said
    assert all(f"{stage}: done already\n" in said for stage in STAGES)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_killed_run_goes_on_and_ends_with_the_same_weights(made, pairs, tmp_path):
    run_until(command(pairs, tmp_path), tmp_path / "registration" / "last.pt")
    assert not (tmp_path / "registration" / "done.json").exists()
    status, said = run(command(pairs, tmp_path))
    assert status == 0, said
    assert "registration: goes on\n" in said and "fusion: begins\n" in said
    assert f"resumed from {tmp_path / 'registration' / 'last.pt'}, epoch " in said
    for stage in STAGES:
        own, other = (folder / stage / "model.pt" for folder in (tmp_path, made[0]))
        assert sha256(own) == sha256(other), stage
    _, parent, stages = records(tmp_path)
    assert [run.info.status for run in (parent, *stages)] == ["FINISHED"] * 4


def test_other_settings_are_not_gone_on_with(made, pairs, own_recipe, tmp_path):
    stage = tmp_path / "registration"
    options = ("--recipe", str(own_recipe))
    words = command(pairs, tmp_path, *options, override=["learning_rate=0.002"])
    run_until(words, stage / "last.pt")
    stopped = {path.read_bytes() for path in stage.glob("*.pt")}
    status, said = run(command(pairs, tmp_path, *options))
    assert status == 0 and "registration: begins\n" in said, said
    assert "resumed from" not in said and "last.pt: of an earlier run, kept as" in said
    assert stopped <= {path.read_bytes() for path in stage.glob("*.earlier.pt")}
    # two undisturbed runs of one seed end with the same weights
    assert sha256(stage / "model.pt") == sha256(made[0] / "registration" / "model.pt")
    _, parent, stages = records(tmp_path)
    assert [run.info.status for run in (parent, *stages)] == ["FINISHED", "KILLED", "FINISHED"]
    assert float(stages[0].data.params["learning_rate"]) == 0.002


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--data", "nowhere"], "nowhere: no such folder; name the one with aanlib"),
        (["--data", "README.md"], "README.md: no such folder"),
        (["--data", "docs"], "docs: holds none of aanlib, stacks, heads, palettes; check the path"),
        (["--scale", "0"], "--scale 0.0: give a number above 0"),
        (["--recipe", "docs"], "docs: holds no stage; name a folder of configurations"),
        (["--override", "seed"], "--override seed: write ID=VALUE"),
        (["--override", "=1"], "--override =1: write ID=VALUE"),
        (["--override", "ckpt_dir=x"], "--override ckpt_dir=x: the command itself sets ckpt_dir"),
        (["--override", "stacks_dir=x"], "--override stacks_dir=x: the command itself sets"),
        (["--override", "sede=1"], "--sede: unknown option; did you mean --seed?"),
        (["--override", "batch_size=0"], "--batch_size 0: give a whole number, 1 or more"),
    ],
)
def test_what_cannot_be_used_is_one_line_before_anything_begins(words, line, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        weights.main([*words, "--output_dir", str(tmp_path / "out")])
    assert str(stopped.value).startswith(f"error: {line}")
    assert "\n" not in str(stopped.value) and not (tmp_path / "out").exists()


def test_a_broken_recipe_is_one_line(own_recipe, tmp_path):
    broken = shutil.copytree(own_recipe, tmp_path / "recipe")
    (broken / "2_more.json").write_text('{"stage": "fusion",}', encoding="utf-8")
    with pytest.raises(SystemExit, match=r"^error: .*2_more.json: not JSON \(.*\); correct it$"):
        weights.main(["--recipe", str(broken), "--output_dir", str(tmp_path / "out")])


def test_pairs_that_training_refuses_stop_the_command(made, pairs, own_recipe, tmp_path):
    (tmp_path / "out").mkdir()
    shutil.copy(made[0] / "mlruns.db", tmp_path / "out")  # making one takes seconds
    broken = shutil.copytree(pairs, tmp_path / "pairs")
    shutil.rmtree(broken / "CT-MRI" / "train" / "CT")
    status, said = run(command(broken, tmp_path / "out", "--recipe", str(own_recipe)))
    assert status == 1 and "Traceback" not in said, said
    *_, why, last = said.splitlines()
    assert why.startswith("error: ") and "CT" in why
    assert last.startswith("error: registration: stopped, see above; the same command goes on")


@pytest.fixture
def quick(monkeypatch, pairs, tmp_path):
    """The command with stages that train in no time, and with copies of what it replaces."""
    for module, name in ((weights, "MODEL"), (recipe, "METADATA")):
        copy = tmp_path / "shipped" / getattr(module, name).name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(b"old" if name == "MODEL" else recipe.METADATA.read_bytes())
        monkeypatch.setattr(module, name, copy)
    begun = []

    def train(name, words, folder, goes_on, descriptors):
        begun.append(name)
        (folder / name / "model.pt").write_text(str([w for w in words if str(folder) not in w]))

    monkeypatch.setattr(weights, "_train", train)

    def call(*words, data=pairs):
        begun.clear()
        weights.main(["--data", str(data), "--output_dir", str(tmp_path / "out"), *words])
        return list(begun)

    return call


def listing(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_at_full_scale_the_weights_and_their_record_take_their_place(quick, tmp_path):
    shipped = tmp_path / "shipped"
    before = json.loads((shipped / "metadata.json").read_text(encoding="utf-8"))
    assert quick() == list(STAGES)
    found = listing(shipped)
    assert set(found) == {"model.pt", "model.earlier.pt", "metadata.json"}
    assert found["model.earlier.pt"] == b"old"
    assert found["model.pt"] == (tmp_path / "out" / "joint" / "model.pt").read_bytes()
    record = json.loads((tmp_path / "out" / "weights.json").read_text(encoding="utf-8"))
    assert set(record) == {"sha256", "configs", "data", "date"}
    assert record["sha256"] == sha256(shipped / "model.pt")
    assert json.loads(found["metadata.json"]) == {**before, "weights": record}
    assert quick() == []  # and the old weights are not lost by asking twice
    assert listing(shipped) == found


def test_a_command_that_was_killed_between_the_old_weights_and_the_new_ones(quick, tmp_path):
    quick()
    (tmp_path / "shipped" / "model.pt").unlink()
    assert quick() == []
    assert sha256(tmp_path / "shipped" / "model.pt") == sha256(tmp_path / "out" / "model.pt")


@pytest.mark.parametrize("how", ["--scale", "--recipe", "--override"])
def test_anything_else_leaves_what_the_bundle_ships_alone(how, quick, own_recipe, tmp_path):
    before = listing(tmp_path / "shipped")
    words = {"--scale": "0.999", "--recipe": str(own_recipe), "--override": "seed=1"}
    quick(how, words[how])
    assert listing(tmp_path / "shipped") == before
    assert (tmp_path / "out" / "model.pt").is_file()


def test_the_shipped_recipe_is_known_by_any_of_its_names(quick, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    quick("--recipe", "configs/recipe")
    assert (tmp_path / "shipped" / "model.earlier.pt").is_file()


def test_what_has_changed_is_made_anew_and_what_follows_too(quick, pairs, tmp_path):
    small = ("--scale", "1e-4")
    quick(*small)
    assert quick(*small) == []
    assert quick(*small, "--override", "seed=1") == list(STAGES)
    assert quick(*small, "--override", "seed=1") == []
    (tmp_path / "out" / "fusion" / "model.pt").write_bytes(b"damaged")
    assert quick(*small, "--override", "seed=1") == ["fusion"]  # as before: what follows stays
    moved = shutil.copytree(pairs, tmp_path / "moved")
    assert quick(*small, "--override", "seed=1", data=moved) == []
    next(moved.rglob("*.png")).write_bytes(b"another picture")
    assert quick(*small, "--override", "seed=1", data=moved) == list(STAGES)
    assert len(list((tmp_path / "out" / "joint").glob("model.earlier*.pt"))) == 2


def test_a_parent_that_the_store_does_not_know_is_made_anew(made, tmp_path):
    shutil.copy(made[0] / "mlruns.db", tmp_path)
    store = f"sqlite:///{tmp_path / 'mlruns.db'}"
    first = parent_run(store, "out", "unused", "0" * 32)
    assert first != "0" * 32 and parent_run(store, "out", "unused", first) == first
    client = MlflowClient(store)
    assert client.get_run(first).info.status == "RUNNING"
    end(store, "0" * 32)  # nothing to close
    end(store, first)
    assert client.get_run(first).info.status == "FINISHED"


def test_records_go_to_the_store_of_the_environment(tmp_path, monkeypatch):
    assert weights._tracking(tmp_path)[-1] == f"sqlite:///{tmp_path / 'mlruns.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////elsewhere/runs.db")
    assert weights._tracking(tmp_path)[-1] == "sqlite:////elsewhere/runs.db"
