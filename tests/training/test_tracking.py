"""What a run leaves in its MLflow store, read back through MLflow."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from mlflow.models import Model
from monai.bundle import create_workflow
from PIL import Image

import bundle.training.tracking.record as record
from bundle.networks import BiMSRec
from bundle.phantom.pairs import write_pairs
from bundle.training.tracking.parent import parent_run
from bundle.training.tracking.record import fingerprint, hyper_parameters

ROOT = Path(__file__).parents[2]
LEVELS = ("aligned", "small", "medium", "large")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder, 1, size=64, split="train")
    write_pairs(folder, 1, size=64, split="val")
    return folder


def run(pairs, folder, **overrides):
    create_workflow(
        config_file=str(ROOT / "configs" / "train.json"),
        workflow_type="train",
        bundle_root=str(ROOT),
        dataset_dir=str(pairs),
        ckpt_dir=str(folder),
        tracking=str(ROOT / "configs" / "tracking.json"),
        image_size=64,
        reduction=4,
        batch_size=1,
        num_workers=0,
        val_interval=1,
        device="$torch.device('cpu')",
        stage="registration",
        **overrides,
    ).run()


def records(store):
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("bimsrec")
    return client, client.search_runs([experiment.experiment_id])


def train(pairs, folder, **overrides):
    run(pairs, folder, **overrides)
    return records(f"sqlite:///{folder / 'mlruns.db'}")


@pytest.fixture(scope="module")
def resumed(pairs, tmp_path_factory):
    """A run that stopped in its second epoch and went on."""
    folder = tmp_path_factory.mktemp("my run")
    settings = {"max_epochs": 2, "panel_interval": 2}
    stop = {"train#trainer#iteration_update": "$lambda e, b: steps.train_step(e, b)"
            " if e.state.iteration < 5 else 1 / 0"}  # fmt: skip
    with pytest.raises(RuntimeError, match="run_tools.train"):  # MONAI wraps what happened
        train(pairs, folder, **settings, **stop)
    return folder, *train(pairs, folder, **settings, resume=True)


def test_a_resumed_run_goes_on_in_its_record(resumed):
    _, client, (run,) = resumed
    assert run.info.status == "FINISHED"
    for name in ("train/loss", "train/flows", "train/learning_rate", "train/pairs_per_second"):
        history = client.get_metric_history(run.info.run_id, name)
        assert [point.step for point in history] == [1, 2], name
        assert all(np.isfinite(point.value) for point in history)
    rates = [p.value for p in client.get_metric_history(run.info.run_id, "train/learning_rate")]
    assert rates[0] > rates[1]
    assert 0 <= run.data.metrics["train/data_wait"] <= 1


def test_a_run_is_part_of_another(pairs, tmp_path):
    store, artifacts = f"sqlite:///{tmp_path / 'mlruns.db'}", (tmp_path / "mlruns").as_uri()
    parent = parent_run(store, "recipe", artifacts)
    _, runs = train(pairs, tmp_path, max_epochs=1, panel_interval=9, parent_run=parent)
    (own,) = (run for run in runs if run.info.run_id != parent)
    assert own.data.tags["mlflow.parentRunId"] == parent
    assert own.data.metrics["train/loss"] > 0


def test_validation_is_there_by_level_and_modality(resumed):
    _, _, (run,) = resumed
    expected = {f"validation/EPE_{level}_{m}" for level in LEVELS for m in ("CT", "PET", "SPECT")}
    assert expected | {"validation/EPE"} <= set(run.data.metrics)


def test_every_setting_and_the_data_are_there(resumed, pairs):
    _, _, (run,) = resumed
    found = run.data.params
    assert found["image_size"] == "64" and found["loss.fusion.gradient_weight"] == "1.5"
    assert found["optimizer._target_"] == "bundle.training.muon.Muon"
    assert found["train.augmentation.3.prob"] == "0.1"
    assert found["data.train.pairs.CT"] == found["data.validation.pairs.SPECT"] == "1"
    assert found["data.train.sha256"] != found["data.validation.sha256"]
    assert len(found) > 100


def test_pictures_configuration_and_weights_are_there(resumed):
    folder, client, (run,) = resumed
    store = Path(client.download_artifacts(run.info.run_id, ""))
    panels = [path for path in (store / "images").iterdir() if path.suffix == ".png"]
    assert len(panels) == 2
    assert Image.open(panels[0]).size == (5 * 64, 3 * 64)
    assert len(list(store.glob("config_*.json"))) >= 1
    assert (store / "weights" / "model.pt").read_bytes() == (folder / "model.pt").read_bytes()
    BiMSRec().load_state_dict(torch.load(store / "weights" / "model.pt", weights_only=True))
    (image,) = Model.load(str(store / "weights")).signature.inputs.inputs
    assert image.name == "image" and image.shape == (-1, 2, -1, -1)


def test_settings_are_named_by_their_place():
    config = {"a": {"b#c": [1, 2]}, "d": [{"e": None}, {"f": "$x"}], "imports": ["$import os"]}
    expected = {"a.b.c": "[1, 2]", "d.0.e": "None", "d.1.f": "$x"}
    assert hyper_parameters(config) == expected


def test_the_fingerprint_knows_pictures_and_not_places(tmp_path):
    def pair(folder, content, level="small"):
        (tmp_path / folder).mkdir(exist_ok=True)
        files = {key: tmp_path / folder / f"{key}.png" for key in ("fixed", "moving")}
        for path in files.values():
            path.write_bytes(content)
        paths = {key: str(path) for key, path in files.items()}
        return {"modality": "CT", "name": "1", "level": level, **paths}

    first = fingerprint([pair("a", b"x"), pair("a", b"x", "large")])
    assert first == {"pairs.CT": "1", "sha256": hashlib.sha256(b"CT/1\nxx").hexdigest()}
    assert fingerprint([pair("b", b"x")]) == first
    assert fingerprint([pair("c", b"y")]) != first


def test_the_fingerprint_reads_a_volume_once_for_its_slices(tmp_path, monkeypatch):
    (tmp_path / "head.nii.gz").write_bytes(b"x")
    head = {"kind": "heads", "fixed": str(tmp_path / "head.nii.gz")}
    head["moving"] = head["fixed"]
    slices = [{**head, "modality": "CT", "name": str(number)} for number in range(3)]
    record._digest.cache_clear()
    first = fingerprint(slices)
    assert first["pairs.CT"] == "3" and record._digest.cache_info().misses == 1
    (tmp_path / "head.nii.gz").write_bytes(b"y")
    record._digest.cache_clear()
    assert fingerprint(slices)["sha256"] != first["sha256"]


def test_a_folder_as_a_store_is_one_line(pairs, tmp_path):
    store = (tmp_path / "runs").as_uri()
    with pytest.raises(SystemExit, match=f"^error: --tracking_uri {store}: .*sqlite:///FILE.db$"):
        train(pairs, tmp_path, tracking_uri=store)


def test_artifacts_lie_beside_the_database_and_a_finished_run_is_not_reopened(resumed, pairs):
    folder, _, (run,) = resumed
    assert list((folder / "mlruns").rglob("MLmodel")) and run.info.status == "FINISHED"
    _, runs = train(pairs, folder, max_epochs=3, panel_interval=9, resume=True)
    assert len(runs) == 2
    assert {r.info.run_id: r.info.status for r in runs}[run.info.run_id] == "FINISHED"
    assert runs[0].data.metrics["train/loss"] > 0
