"""When a training run validates."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events
from monai.handlers import ValidationHandler

from bundle.training.failures import errors_unlogged


class RegularValidation(ValidationHandler):
    """MONAI's handler of the trainer, which also validates after the last epoch.

    The last weights of a schedule are its best ones more often than not, and a short run has a
    ``model.pt`` too. Takes the arguments of ``ValidationHandler``; counts epochs.
    """

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Validate if it is time."""
        epoch = engine.state.epoch
        if epoch % self.interval == 0 or epoch == engine.state.max_epochs:
            validator: Any = self.validator
            with errors_unlogged(validator):
                super().__call__(engine)
