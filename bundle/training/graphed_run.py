"""A run of training steps that stay on one GPU: a schedule over time, validation, resumption."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path

import torch
from monai.engines import SupervisedEvaluator

from bundle.errors import InputError
from bundle.training.checkpoint import (
    LAST,
    BestSaver,
    make_folder,
    of_same_run,
    read_state,
    write_state,
)
from bundle.training.failures import errors_unlogged
from bundle.training.graphed import GraphedStep
from bundle.workflow.parallel import world_size

logger = logging.getLogger(__name__)

REPORT = 50
"""Steps between two looks at the losses; only then the CPU waits for the GPU."""


def one_cycle(progress: float, peak: float, rise: float = 0.05) -> float:
    """Learning rate of a cosine schedule that rises first, as ``OneCycleLR`` has it.

    Args:
        progress: share of the run that is done.
        peak: highest rate.
        rise: share of the run until then.

    Returns:
        the rate; a 25th of the peak at the start, nearly 0 at the end.
    """
    first, last = peak / 25, peak / 250_000
    low, share = (first, progress / rise) if progress < rise else (
        last, 1 - (progress - rise) / (1 - rise)
    )  # fmt: skip
    return low + (peak - low) * (1 - math.cos(math.pi * share)) / 2


def train(
    step: GraphedStep,
    evaluator: SupervisedEvaluator,
    best: BestSaver,
    learning_rate: float,
    seconds: float,
    ckpt_dir: str,
    validations: int = 4,
    resume: bool = False,
) -> None:
    """Train for a given time on one device, now and then validate and keep the state.

    At every validation ``ckpt_dir`` gets ``average.pt``, the averaged weights, ``last.pt``, from
    which a run that was stopped goes on, and from ``best`` ``model.pt``, the best of all. A new
    run keeps the files of an earlier one under other names.

    Args:
        step: one training step.
        evaluator: validates the averaged network.
        best: its handler that writes the best.
        learning_rate: highest of the schedule.
        seconds: how long, all parts of a resumed run together; the schedule is stretched over it.
        ckpt_dir: folder.
        validations: how many, evenly spread.
        resume: go on from ``last.pt``, if there is one, with random numbers drawn anew.

    Raises:
        InputError: there are several processes, no time, a ``last.pt`` that is damaged or of
            another run, or the loss is not finite.
    """
    if seconds <= 0:
        raise InputError(f"--seconds {seconds}: give more than 0")
    if world_size() > 1:
        raise InputError("configs/graphed.json: trains on one GPU; leave out multi_gpu_train.json")
    folder = make_folder(ckpt_dir, resume)
    spent, steps = _restore(step, best, folder / LAST) if resume else (0.0, 0)
    if spent >= seconds:
        logger.info("all %g seconds are spent; raise --seconds to go on", seconds)
    start, validated = time.perf_counter() - spent, int(spent / seconds * validations)
    step.network.train()
    while spent < seconds:
        began = time.perf_counter() - start  # validation does not count as training
        for _ in range(REPORT):
            step(one_cycle(spent / seconds, learning_rate))
        steps += REPORT
        terms, now = step.terms(), time.perf_counter() - start
        if not math.isfinite(terms["loss"]):
            raise InputError(
                f"the loss is {terms['loss']} after {steps} steps; lower --learning_rate"
            )
        figures = " ".join(f"{name} {value:.4f}" for name, value in terms.items())
        rate = REPORT * step.batch_size / (now - began)
        logger.info("step %d: %s, %.1f pairs/s", steps, figures, rate)
        spent = now
        if spent >= seconds or spent / seconds * validations > validated + 1:
            validated += 1
            with errors_unlogged(evaluator):
                evaluator.run()
            state = {"step": step.state_dict(), "best": best.state_dict()}
            write_state(step.average.state_dict(), folder / "average.pt")
            write_state({**state, "seconds": spent, "steps": steps}, folder / LAST)


def _restore(step: GraphedStep, best: BestSaver, path: Path) -> tuple[float, int]:
    """Load the state of a run: seconds spent and steps done, none without a file."""
    if not path.is_file():
        return 0.0, 0
    state = read_state(path, ["step", "seconds", "steps"])
    with of_same_run(path):
        step.load_state_dict(state["step"])
        if "best" in state:  # not in checkpoints of earlier versions
            best.load_state_dict(state["best"])
    torch.manual_seed(state["steps"])  # not the numbers of the first part again
    logger.info("resumed from %s after %d steps", path, state["steps"])
    return state["seconds"], state["steps"]
