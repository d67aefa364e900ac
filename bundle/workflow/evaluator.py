"""Run inference over pairs so that a bad one does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from monai.data import Dataset
from monai.engines import SupervisedEvaluator

from bundle.errors import InputError, one_line
from bundle.workflow.parallel import any_process

logger = logging.getLogger(__name__)
DONE = "done"


class FailedPairs(InputError):
    """Some pairs failed; each was told already."""

    told = True


class PairDataset(Dataset):
    """A MONAI ``Dataset`` of records whose loading may fail.

    A record that cannot be loaded, or that has the key ``error`` already, is handed out as
    ``{"id": ..., "error": message}`` for :class:`PairEvaluator` to report.
    """

    def _transform(self, index: int) -> Any:
        record = self.data[index]
        if "error" in record:
            return record
        try:
            return super()._transform(index)
        except Exception as error:
            logger.debug("%s", record["id"], exc_info=True)
            return {"id": record["id"], "error": one_line(error, *_files(record))}


def _files(record: Mapping[str, Any]) -> list[str]:
    return [record[side] for side in ("fixed", "moving") if side in record]


def single(batch: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Collate a batch of one record: it stays as it is."""
    (record,) = batch
    return record


def pair_of(
    batch: dict[str, Any], device: torch.device, non_blocking: bool, **kwargs: Any
) -> tuple[Any, None]:
    """Give the record to the inferer, which brings to the device what the network needs."""
    return batch, None


class PairEvaluator(SupervisedEvaluator):
    """A MONAI ``SupervisedEvaluator`` that goes on after a pair that fails.

    Loading, network, postprocessing and saving of a pair end here when they fail: one line.

    Args:
        tell: takes the lines ``error: ID: ...`` and ``warning: ID: ...``; by default they are
            logged.
        **kwargs: of ``SupervisedEvaluator``; the loader gives single records.

    Attributes:
        outcomes: of each pair so far, by its position in the list from 1: ``done``, or the message
            of what failed.
    """

    def __init__(self, tell: Callable[[str], None] = logger.warning, **kwargs: Any) -> None:
        super().__init__(**kwargs, decollate=False)
        self.tell = tell
        self.outcomes: dict[int, str] = {}

    @property
    def failures(self) -> dict[int, str]:
        """Message of each failed pair, by position."""
        return {number: text for number, text in self.outcomes.items() if text != DONE}

    def _iteration(self, engine: Any, batchdata: Any) -> dict:
        try:
            if "error" in batchdata:
                raise InputError(batchdata["error"])
            output = super()._iteration(engine, batchdata)
        except Exception as error:
            logger.debug("%s", batchdata["id"], exc_info=True)
            text = one_line(error, *_files(batchdata))
            self.outcomes[engine.state.iteration] = text
            self.tell(f"error: {batchdata['id']}: {text}")
            return {}
        self.outcomes[engine.state.iteration] = DONE
        for warning in engine.state.output["report"].warnings:
            self.tell(f"warning: {batchdata['id']}: {warning.text}")
        logger.info("%s: results in %s", batchdata["id"], batchdata["output_dir"])
        return output


def run_pairs(evaluator: PairEvaluator) -> None:
    """Run over all pairs.

    Args:
        evaluator: holds the pairs, the network and what to do with the results.

    Raises:
        InputError: at once if there is no pair, after the last pair if any failed.
    """
    mine = bool(evaluator.state.epoch_length)
    anyone = any_process(mine)
    if mine or not anyone:  # with fewer pairs than processes some have none
        go_through(evaluator)
    # processes that share a list end together: a launcher stops all as soon as one fails
    if any_process(bool(evaluator.failures)):
        raise FailedPairs(f"{len(evaluator.failures)} of the pairs failed")


def go_through(evaluator: PairEvaluator) -> None:
    """Run over all pairs; what failed stands in the evaluator's ``failures``.

    Raises:
        InputError: there is no pair.
    """
    if not evaluator.state.epoch_length:
        raise InputError("there are no pairs; name them with --datalist pairs.json")
    # the engine would log once more what ends it; the one line says it all
    evaluator.logger.setLevel(logging.CRITICAL)
    evaluator.run()
