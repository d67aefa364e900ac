"""Collect the validation's rows, print them as a table and set the key metric."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from typing import Any, cast

import numpy as np
from ignite.engine import Engine, Events
from tqdm import tqdm

from bundle.errors import InputError
from bundle.workflow.parallel import is_main_process, mean_over_processes

logger = logging.getLogger(__name__)
SMOOTHING = 0.05
"""Weight of the newest batch in the bar's running means."""


class FieldReport:
    """Handler of an evaluator that runs :func:`bundle.training.steps.validate_step`.

    After the epoch it sets ``EPE`` (mean over all pairs) in the engine's metrics, the key
    metric of training (lower is better), and logs the mean EPE by modality and level.

    Args:
        unit: of the errors, for the log.
    """

    def __init__(self, unit: str = "px") -> None:
        self.unit = unit
        self.rows: list[dict[str, Any]] = []

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        engine.add_event_handler(Events.EPOCH_STARTED, lambda _: self.rows.clear())
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._finish)

    def _collect(self, engine: Engine) -> None:
        self.rows += cast(list, engine.state.output)

    def _finish(self, engine: Engine) -> None:
        groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for row in self.rows:
            groups[row["level"], row["modality"]].append(row)
        fields = [name for name in self.rows[0] if name not in ("modality", "level")]
        logger.info("EPE in %s: %s", self.unit, " ".join(f"{name:>7}" for name in fields))
        for (level, modality), rows in sorted(groups.items()):
            means = [np.nanmean([row[name] for row in rows]) for name in fields]
            figures = " ".join(f"{mean:7.2f}" for mean in means)
            logger.info("%7s %5s: %s", level, modality, figures)
            engine.state.metrics[f"EPE_{level}_{modality}"] = float(means[fields.index("ddf")])
        mean = float(np.nanmean([row["ddf"] for row in self.rows]))
        engine.state.metrics["EPE"] = mean
        logger.info("EPE %.3f %s over %d pairs", mean, self.unit, len(self.rows))


class TermLogger:
    """Handler of the trainer: a progress bar with the losses, and their means per epoch.

    The means are those of all processes; the main one shows them.
    """

    def __init__(self) -> None:
        self.running: dict[str, Any] = {}
        self.sums: dict[str, Any] = {}
        self.count = 0
        self.bar: tqdm | None = None

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._finish)

    def _start(self, engine: Engine) -> None:
        self.sums.clear()
        self.count = 0
        self.bar = tqdm(
            total=engine.state.epoch_length,
            desc=f"epoch {engine.state.epoch}/{engine.state.max_epochs}",
            mininterval=2.0,
            leave=False,
            disable=not is_main_process(),
        )

    def _update(self, engine: Engine) -> None:
        for name, value in cast(list, engine.state.output)[0].items():
            previous = self.running.get(name, value)
            self.running[name] = previous + SMOOTHING * (value - previous)
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1
        if self.bar is not None and self.bar.update():  # shown: only then a GPU is waited for
            shown = {name: f"{float(value):.3f}" for name, value in self.running.items()}
            self.bar.set_postfix(shown, refresh=False)

    def _finish(self, engine: Engine) -> None:
        if self.bar is not None:
            self.bar.close()
        means = {name: float(total) / max(1, self.count) for name, total in self.sums.items()}
        if not math.isfinite(means.get("loss", 0.0)):
            raise InputError(
                f"the loss is {means['loss']} in epoch {engine.state.epoch}; lower --learning_rate"
            )
        means = mean_over_processes(means)
        engine.state.metrics.update(means)
        text = " ".join(f"{name} {mean:.4f}" for name, mean in means.items())
        if is_main_process():
            logger.info("epoch %d: %s", engine.state.epoch, text)
