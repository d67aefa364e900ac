"""Where a run is recorded, and what happens when that cannot be written."""

from __future__ import annotations

import errno
import resource
from pathlib import Path
from types import SimpleNamespace

import pytest
from ignite.engine import Engine, Events
from mlflow import MlflowClient

from bundle.errors import InputError
from bundle.training.tracking import RunTracker, store_of
from bundle.training.tracking.store import artifacts_of, usable

ENVIRONMENT = "MLFLOW_TRACKING_URI"
FULL = 4000
"""Bytes, less than a page of a database."""


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)


@pytest.fixture
def fill_disk():
    """A function after which files grow no more: a limit on their size stands for a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda *_: resource.setrlimit(resource.RLIMIT_FSIZE, (FULL, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def tracked(folder, step, store=None):
    """A trainer and an evaluator that are recorded, after the start of the run."""
    trainer, evaluator = Engine(step), Engine(lambda *_: None)
    tracker = RunTracker(store or store_of(folder), evaluator, {}, str(folder), str(folder))
    tracker.attach(trainer)
    trainer.optimizer = SimpleNamespace(param_groups=[{"lr": 0.5}])
    trainer.state.device = "cpu"
    trainer.logger.disabled = evaluator.logger.disabled = True
    return trainer, evaluator, tracker


def warnings_of(caplog):
    return [r.getMessage() for r in caplog.records if r.name.startswith("bundle")]


@pytest.mark.parametrize("name", ["my run", "a#b", "Übung", "100%20?"])
def test_a_database_lies_in_the_folder_of_its_run(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    store = store_of(folder)
    MlflowClient(store).search_experiments()
    assert (folder / "mlruns.db").is_file()
    assert artifacts_of(store) == (folder / "mlruns").as_uri()
    if "%" not in name:  # what has to be escaped leaves a folder of that name
        assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_environment_names_the_store_of_a_run_that_names_none(tmp_path, monkeypatch):
    other = f"sqlite:///{tmp_path / 'other' / 'all.db'}"
    monkeypatch.setenv(ENVIRONMENT, other)
    folder = tmp_path / "run"
    folder.mkdir()
    trainer, _, _ = tracked(folder, lambda *_: None)
    trainer.run([0], max_epochs=1)
    assert not list(folder.iterdir())
    (experiment,) = MlflowClient(other).search_experiments(filter_string="name = 'bimsrec'")
    assert experiment.artifact_location.startswith((tmp_path / "other" / "mlruns").as_uri())


def test_a_store_that_is_given_counts_more_than_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, f"sqlite:///{tmp_path / 'other.db'}")
    _, _, tracker = tracked(tmp_path, lambda *_: None, f"sqlite:///{tmp_path / 'own.db'}")
    assert tracker.client.tracking_uri.endswith("own.db")
    assert not (tmp_path / "other.db").exists()


def test_a_store_that_fills_up_is_one_warning_and_training_goes_on(
    tmp_path, fill_disk, capfd, caplog
):
    epochs = []
    trainer, evaluator, _ = tracked(tmp_path, lambda *_: None)
    trainer.add_event_handler(Events.STARTED, fill_disk)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda e: epochs.append(e.state.epoch))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda _: evaluator.run([0]))
    trainer.run([0], max_epochs=3)
    (line,) = warnings_of(caplog)
    assert line.startswith(f"{store_of(tmp_path)}: MLflow can no longer keep records there (")
    assert line.endswith("); training goes on without")
    assert epochs == [1, 2, 3] and "Traceback" not in "".join(capfd.readouterr())


def test_what_ends_a_run_is_told_where_its_store_is_full_too(tmp_path, fill_disk, caplog):
    def step(*_):
        fill_disk()
        raise InputError("last.pt: cannot be written")

    trainer, _, _ = tracked(tmp_path, step)
    with pytest.raises(InputError, match=r"^last\.pt: cannot be written$"):
        trainer.run([0], max_epochs=1)
    assert len(warnings_of(caplog)) == 1


def test_a_store_that_is_full_from_the_start_is_one_line(tmp_path, fill_disk, capfd):
    fill_disk()
    line = r"mlruns\.db: MLflow cannot keep records there \([^\n]*\); make room, or name another"
    with pytest.raises(InputError, match=line):
        tracked(tmp_path, lambda *_: None)
    assert not list(tmp_path.glob("*.db")) and "Traceback" not in "".join(capfd.readouterr())


def test_an_older_database_stays_where_it_cannot_be_used(tmp_path):
    (tmp_path / "mlruns.db").write_bytes(b"somebody's")
    with pytest.raises(InputError, match="cannot keep records there"), usable(store_of(tmp_path)):
        raise OSError(errno.EACCES, "Permission denied")
    assert (tmp_path / "mlruns.db").read_bytes() == b"somebody's"


def test_half_of_the_weights_is_not_left_in_the_store(tmp_path, monkeypatch, caplog):
    def fail(run, folder, place):
        client.log_artifact(run, str(Path(folder) / "MLmodel"), place)
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "model.pt").write_bytes(b"weights")
    trainer, evaluator, tracker = tracked(tmp_path, lambda *_: None)
    client = tracker.client
    monkeypatch.setattr(client, "log_artifacts", fail)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda _: evaluator.run([0]))
    trainer.run([0], max_epochs=2)
    (line,) = warnings_of(caplog)
    assert "(No space left on device); training goes on" in line
    assert not list((tmp_path / "mlruns").rglob("weights"))
