"""How fast a training run is, and how long it waits for its data."""

from __future__ import annotations

import logging
import time
from typing import Any

from ignite.engine import Engine, Events

from bundle.workflow.parallel import is_main_process, world_size

logger = logging.getLogger(__name__)


class SpeedMeter:
    """Handler of a trainer: sets ``pairs_per_second`` and ``data_wait`` in its metrics.

    ``pairs_per_second`` counts all processes. ``data_wait`` is the share of an epoch's time, in
    [0, 1], in which this process waited for its next batch. Validation and checkpoints are not
    counted. A first epoch includes the start of the loading processes.
    """

    def __init__(self) -> None:
        self.pairs = 0
        self.waited = 0.0
        self.asked = self.started = self.ended = time.perf_counter()

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)
        engine.add_event_handler(Events.GET_BATCH_STARTED, self._ask)
        engine.add_event_handler(Events.GET_BATCH_COMPLETED, self._receive)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._count)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._finish)

    def _start(self, _: Engine) -> None:
        self.pairs, self.waited = 0, 0.0
        self.started = time.perf_counter()

    def _ask(self, _: Engine) -> None:
        self.asked = time.perf_counter()

    def _receive(self, engine: Engine) -> None:
        batch: Any = engine.state.batch
        self.pairs += len(batch["image"] if isinstance(batch, dict) else batch)
        self.waited += time.perf_counter() - self.asked

    def _count(self, _: Engine) -> None:
        self.ended = time.perf_counter()

    def _finish(self, engine: Engine) -> None:
        seconds = max(self.ended - self.started, 1e-9)
        rate, wait = self.pairs * world_size() / seconds, min(1.0, self.waited / seconds)
        engine.state.metrics |= {"pairs_per_second": rate, "data_wait": wait}
        if is_main_process():
            logger.info("%.1f pairs/s, %.0f %% of the time waiting for data", rate, 100 * wait)
