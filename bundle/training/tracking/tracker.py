"""Record a training run in an MLflow store."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from shutil import copy
from typing import Any, TypeVar

import torch
from ignite.engine import Engine, Events
from mlflow.entities import Run
from mlflow.models import Model
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from monai.handlers import MLFlowHandler
from monai.utils import str2bool

from bundle.training.tracking.panel import PhantomPanel
from bundle.training.tracking.record import executed_config, fingerprint, read_settings, signature
from bundle.training.tracking.store import (
    FAILURES,
    artifacts_of,
    environment_left_out,
    reason,
    untraced,
    usable,
)
from bundle.workflow.command_options import check_store
from bundle.workflow.parallel import unwrap, world_size

CKPT_TAG = "ckpt_dir"
PARAMS_AT_ONCE = 100  # MLflow's limit of one call


logger = logging.getLogger(__name__)
Handler = TypeVar("Handler", bound=Callable[..., None])


def while_kept(handler: Handler) -> Handler:
    """Record as long as the store takes it; when it no longer does, say so once, and train on."""

    @wraps(handler)
    def record(self: RunTracker, *args: Any) -> None:
        if self.lost:
            return
        try:
            with untraced():
                handler(self, *args)
        except FAILURES as error:
            self.lost = True
            logger.warning(
                "%s: MLflow can no longer keep records there (%s); training goes on without",
                self.tracking_uri,
                reason(error),
            )

    return record  # type: ignore[return-value]


class RunTracker(MLFlowHandler):
    """Handler of the trainer; MONAI's ``MLFlowHandler`` and what that leaves out.

    Parameters: every setting of the executed configuration, and the data's fingerprint. Metrics
    per epoch: ``train/<term>``, ``train/learning_rate``, ``train/pairs_per_second``,
    ``train/data_wait``; ``validation/EPE_<level>_<modality>``. Image ``phantom``: see
    :class:`PhantomPanel`. Artifacts: the executed configuration; ``weights/model.pt``, the best
    so far, with its signature in ``weights/MLmodel``.

    Args:
        tracking_uri: the store, such as ``sqlite:////home/me/mlruns.db``.
        evaluator: of the validation; its network is drawn.
        pairs: of each split.
        ckpt_dir: where ``model.pt`` appears.
        output_dir: where MONAI writes the executed configuration.
        resume: go on in the run that stopped in this ``ckpt_dir``.
        panel: the cases to draw, None = no pictures.
        panel_interval: epochs between pictures; the first and the last epoch are drawn always.
        experiment_name: runs are kept together by it.
        run_name: None = named by the time.
        parent_run: id of the run that this one is a part of, in the same store.

    Raises:
        InputError: the store is a folder, or cannot be used.
    """

    def __init__(
        self,
        tracking_uri: str,
        evaluator: Engine,
        pairs: Mapping[str, Sequence[Mapping[str, str]]],
        ckpt_dir: str,
        output_dir: str,
        resume: bool | str = False,
        panel: PhantomPanel | None = None,
        panel_interval: int = 5,
        experiment_name: str = "bimsrec",
        run_name: str | None = None,
        parent_run: str | None = None,
    ) -> None:
        check_store(tracking_uri)
        with usable(tracking_uri), environment_left_out():
            super().__init__(
                tracking_uri,
                iteration_log=False,
                experiment_name=experiment_name,
                run_name=run_name,
                close_on_complete=True,
                artifact_location=artifacts_of(tracking_uri),
            )
        self.tracking_uri = tracking_uri
        self.lost = False
        self.evaluator = evaluator
        self.pairs = pairs
        self.ckpt_dir = Path(ckpt_dir)
        self.output_dir = Path(output_dir)
        self.resume = str2bool(resume)
        self.parent_run = parent_run
        self.panel = panel
        self.panel_interval = panel_interval
        self.logged_weights = 0.0

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, and to the evaluator."""
        super().attach(engine)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._fail)
        self.evaluator.add_event_handler(Events.EPOCH_COMPLETED, self._validated)

    def start(self, engine: Engine) -> None:
        """Open the run and record what does not change.

        Raises:
            InputError: the store cannot be used.
        """
        config = executed_config(self.output_dir)
        settings = read_settings(config) | self._facts(engine)
        with usable(self.tracking_uri):
            self._open(engine, config, settings)

    def _open(self, engine: Engine, config: Path | None, settings: dict[str, str]) -> None:
        self._set_experiment()
        run: Any = self._stopped_run() if self.resume else None
        if run is None:
            name = self.run_name or self.ckpt_dir.name
            run = self.client.create_run(self._experiment_id, run_name=name)
        self.cur_run = run
        self.client.update_run(self._id, status="RUNNING")
        self.client.set_tag(self._id, CKPT_TAG, str(self.ckpt_dir.resolve()))
        if self.parent_run:
            self.client.set_tag(self._id, MLFLOW_PARENT_RUN_ID, self.parent_run)
        super().start(engine)
        if config:
            self.client.log_artifact(self._id, str(config))
        self._log_settings(settings)

    @while_kept
    def epoch_completed(self, engine: Engine) -> None:
        """Record an epoch of training."""
        epoch = engine.state.epoch
        optimizer: Any = engine.optimizer  # type: ignore[attr-defined]
        values = engine.state.metrics | {"learning_rate": optimizer.param_groups[0]["lr"]}
        self._log_metrics({f"train/{name}": value for name, value in values.items()}, epoch)
        last = epoch == engine.state.max_epochs
        if self.panel and (epoch % self.panel_interval == 0 or epoch == 1 or last):
            network: Any = unwrap(self.evaluator.network)  # type: ignore[attr-defined]
            picture = self.panel.draw(network, self._device(engine))
            self.client.log_image(self._id, picture, key="phantom", step=epoch)

    @property
    def _id(self) -> str:
        run: Any = self.cur_run
        return run.info.run_id

    @property
    def _experiment_id(self) -> str:
        experiment: Any = self.experiment
        return experiment.experiment_id

    @staticmethod
    def _device(engine: Engine) -> torch.device | str:
        state: Any = engine.state
        return state.device

    def _stopped_run(self) -> Run | None:
        """The newest run of this folder, unless it came to its end: a new one then goes on."""
        here = f"tags.{CKPT_TAG} = '{self.ckpt_dir.resolve()}'"
        runs = self.client.search_runs([self._experiment_id], here)
        newest = next(iter(runs), None)
        return None if newest is None or newest.info.status == self.run_finish_status else newest

    def _facts(self, engine: Engine) -> dict[str, str]:
        """What the configuration does not say."""
        facts = {"processes": str(world_size()), "used_device": str(self._device(engine))}
        for split, pairs in self.pairs.items():
            facts |= {f"data.{split}.{key}": value for key, value in fingerprint(pairs).items()}
        return facts

    def _log_settings(self, settings: dict[str, str]) -> None:
        """MLflow refuses to change a parameter: those of a resumed run stay as they began."""
        self._delete_exist_param_in_dict(settings)
        names = list(settings)
        for first in range(0, len(names), PARAMS_AT_ONCE):
            part = names[first : first + PARAMS_AT_ONCE]
            self._log_params({name: settings[name] for name in part})

    @while_kept
    def close(self) -> None:
        """End the run."""
        super().close()

    @while_kept
    def _validated(self, evaluator: Engine) -> None:
        """Record a validation, and the weights if they are better than before."""
        if self.cur_run is None:
            return
        values = {f"validation/{name}": value for name, value in evaluator.state.metrics.items()}
        self._log_metrics(values, evaluator.state.epoch)
        weights = self.ckpt_dir / "model.pt"
        if weights.is_file() and weights.stat().st_mtime > self.logged_weights:
            self.logged_weights = weights.stat().st_mtime
            self._log_weights(weights)

    def _log_weights(self, weights: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            copy(weights, folder)
            model = Model(artifact_path="weights", run_id=self._id, signature=signature())
            model.add_flavor("state_dict", data=weights.name, network="bundle.networks.BiMSRec")
            model.save(str(Path(folder) / "MLmodel"))
            try:
                self.client.log_artifacts(self._id, folder, "weights")
            except OSError:  # leave no half of a file
                run: Any = self.cur_run
                get_artifact_repository(run.info.artifact_uri).delete_artifacts("weights")
                raise

    def _fail(self, _: Engine, error: BaseException) -> None:
        """Close the run as failed; ignite leaves raising the error to the last handler."""
        self._close_as_failed()
        raise error

    @while_kept
    def _close_as_failed(self) -> None:
        if self.cur_run is not None:
            self.client.set_terminated(self._id, "FAILED")
