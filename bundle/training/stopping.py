"""Stop a training run that no longer gets better."""

from __future__ import annotations

import logging

from ignite.engine import Engine, Events

from bundle.workflow.parallel import any_process

logger = logging.getLogger(__name__)
LEAST = 0.01
"""px by which an EPE has to be lower to count as better."""


class EarlyStopping:
    """Handler of the trainer: ends the run after so many validations without a better EPE.

    Stand it after the validation's handler. The best weights are in ``model.pt`` anyway. Its state
    belongs into the checkpoint of the run.

    Args:
        evaluator: of the validation; sets the metric ``EPE``.
        patience: validations without a better one.
    """

    def __init__(self, evaluator: Engine, patience: int = 5) -> None:
        self.evaluator = evaluator
        self.patience = patience
        self.best = float("inf")
        self.waited = 0

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, and to the evaluator."""
        self.evaluator.add_event_handler(Events.EPOCH_COMPLETED, self._look)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._decide)
        engine.add_event_handler(Events.STARTED, self._decide)  # resumed after it had stopped

    def state_dict(self) -> dict[str, float]:
        """The best EPE, and how many validations were not better."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from there."""
        self.best, self.waited = state["best"], int(state["waited"])

    def _look(self, evaluator: Engine) -> None:
        error = evaluator.state.metrics["EPE"]
        better = error < self.best - LEAST
        self.waited = 0 if better else self.waited + 1
        self.best = min(self.best, error) if better else self.best

    def _decide(self, trainer: Engine) -> None:
        """All processes stop together: the first alone validates."""
        enough = self.waited >= self.patience
        if enough:
            logger.info(
                "stopped after epoch %d: no better EPE than %.3f px in %d validations",
                trainer.state.epoch, self.best, self.waited,
            )  # fmt: skip
        if any_process(enough):
            trainer.terminate()
