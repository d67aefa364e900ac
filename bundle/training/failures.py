"""What ends a training run early, said in one line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ignite.engine import Engine

from bundle.errors import InputError, one_line
from bundle.workflow.parallel import rank

BAD_BATCH = "not_finite.json"


class NotFiniteError(FloatingPointError):
    """The loss of a batch is NaN or infinite.

    Args:
        loss: the loss.
        pairs: modality, name, level and ``index`` in the list of each pair of the batch.
    """

    def __init__(self, loss: float, pairs: list[dict[str, Any]]) -> None:
        names = ", ".join(
            " ".join(str(value) for key, value in pair.items() if key != "index") for pair in pairs
        )
        super().__init__(f"the loss is {loss} on the pairs {names}")
        self.loss = loss
        self.pairs = pairs


def run_or_explain(trainer: Engine, folder: Path) -> None:
    """Run a trainer; what goes wrong with its data becomes one line.

    Args:
        trainer: the trainer.
        folder: gets ``not_finite.json``, the pairs of a batch whose loss is not finite, with
            their files (``not_finite_<rank>.json`` in other processes than the first).

    Raises:
        InputError: the loss was not finite, a setting does not fit the data, or a process that
            loads data died.
    """
    try:
        with errors_unlogged(trainer):
            trainer.run()
    except NotFiniteError as error:
        path = folder / (BAD_BATCH.replace(".", f"_{rank()}.") if rank() else BAD_BATCH)
        place = {"epoch": trainer.state.epoch, "iteration": trainer.state.iteration}
        document = {**place, "loss": str(error.loss), "pairs": _with_files(error.pairs, trainer)}
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        raise InputError(
            f"{error} (epoch {place['epoch']}, iteration {place['iteration']}); their "
            f"files are in {path}; look at them, or lower --learning_rate"
        ) from error
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise InputError(
            f"a process that loads data died ({one_line(error)}); go on with --resume "
            "true, with a smaller --num_workers if memory was short"
        ) from error


@contextmanager
def errors_unlogged(engine: Engine) -> Iterator[None]:
    """Let an engine raise what ends it without logging it first."""
    engine.logger.addFilter(_no_error)
    try:
        yield
    finally:
        engine.logger.removeFilter(_no_error)


def _no_error(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR


def _with_files(pairs: list[dict[str, Any]], trainer: Engine) -> list[dict[str, str]]:
    """The pairs with their files, as the data set lists them."""
    loader: Any = trainer.state.dataloader
    records = [loader.dataset.data[int(pair["index"])] for pair in pairs]
    return [
        {key: str(record[key]) for key in ("fixed", "moving", "path") if key in record}
        | {key: value for key, value in pair.items() if key != "index"}
        for record, pair in zip(records, pairs, strict=True)
    ]
