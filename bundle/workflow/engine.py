"""Run inference over pairs so that a bad one does not stop the others."""

from __future__ import annotations

import logging
import sys
from typing import Any

import torch
from monai.data import Dataset
from monai.engines import SupervisedEvaluator

from bundle.workflow.parallel import any_process
from bundle.errors import InputError, one_line, or_exit

logger = logging.getLogger(__name__)
DONE = "done"


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
            return {"id": record["id"], "error": one_line(error)}


class PairEvaluator(SupervisedEvaluator):
    """A MONAI ``SupervisedEvaluator`` that goes on after a pair that fails.

    Loading, network, postprocessing and saving of a pair end here when they fail: one line on
    stderr. The batch size must be 1.

    Attributes:
        outcomes: of each pair so far, by its position in the list from 1: ``done``, or the message
            of what failed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outcomes: dict[int, str] = {}

    @property
    def failures(self) -> dict[int, str]:
        """Message of each failed pair, by position."""
        return {number: text for number, text in self.outcomes.items() if text != DONE}

    def _iteration(self, engine: Any, batchdata: Any) -> dict:
        try:
            if "error" in batchdata:
                raise InputError(batchdata["error"][0])
            output = super()._iteration(engine, batchdata)
        except Exception as error:
            logger.debug("%s", batchdata["id"][0], exc_info=True)
            self.outcomes[engine.state.iteration] = one_line(error)
            print(f"error: {batchdata['id'][0]}: {one_line(error)}", file=sys.stderr)
            return {}
        self.outcomes[engine.state.iteration] = DONE
        for note in engine.state.output[0].get("suspicious", []):
            print(f"warning: {batchdata['id'][0]}: {note}", file=sys.stderr)
        logger.info("%s: results in %s", batchdata["id"][0], batchdata["output_dir"][0])
        return output


def prepare_pair(
    batch: dict[str, Any], device: torch.device, non_blocking: bool, **kwargs: Any
) -> tuple[torch.Tensor, None, tuple, dict[str, torch.Tensor]]:
    """Hand a volume's head and spacing to the inferer, beside the image."""
    keys = [key for key in ("head", "spacing") if key in batch]
    image, *others = (batch[key].to(device, non_blocking=non_blocking) for key in ("image", *keys))
    return image, None, (), dict(zip(keys, others, strict=True))


def run_pairs(evaluator: PairEvaluator) -> None:
    """Run over all pairs.

    Args:
        evaluator: holds the pairs, the network and what to do with the results.

    Raises:
        SystemExit: with status 1: at once if there is no pair, after the last pair if any failed.
    """
    mine = bool(evaluator.state.epoch_length)
    anyone = any_process(mine)
    if mine or not anyone:  # with fewer pairs than processes some have none
        or_exit(go_through, evaluator)
    # processes that share a list end together: a launcher stops all as soon as one fails
    if any_process(bool(evaluator.failures)):
        raise SystemExit(1)


def go_through(evaluator: PairEvaluator) -> None:
    """Run over all pairs; what failed stands in the evaluator's ``failures``.

    Raises:
        SystemExit: with status 1 if there is no pair.
    """
    if not evaluator.state.epoch_length:
        raise SystemExit("error: there are no pairs; hand over --datalist pairs.json")
    # the engine would log once more what ends it; the one line on stderr says it all
    evaluator.logger.setLevel(logging.CRITICAL)
    evaluator.run()
