"""Named handlers of the trainer as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ignite.engine import Engine
from monai.handlers import ValidationHandler

from bundle.workflow.parallel import is_main_process


class Attached:
    """Handler of the trainer that attaches others in their order.

    Those that validate only in the main process. In configurations handlers have names, by which
    overlays take and leave them; but what stands in ``train#handlers`` itself has to be a
    definition for MONAI's check of a bundle.

    Args:
        handlers: the others; None stands for one that is disabled.
    """

    def __init__(self, handlers: Sequence[Any | None]) -> None:
        self.handlers = [handler for handler in handlers if handler is not None]

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        for handler in self.handlers:
            if is_main_process() or not isinstance(handler, ValidationHandler):
                handler.attach(engine)
