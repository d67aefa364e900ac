"""Training as one CUDA graph: a GPU that does not wait for Python.

A training step of this network is about ten thousand small kernels. Started one by one they keep a
fast GPU waiting most of the time; recorded once and replayed as a graph they follow one another at
once (figures: docs/scaling.md).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from monai.engines import SupervisedEvaluator
from torch.optim.swa_utils import get_ema_multi_avg_fn

from bundle.data.on_device import OnDeviceDataset
from bundle.engine.parallel import world_size
from bundle.errors import InputError
from bundle.losses import BiMSRecLoss

logger = logging.getLogger(__name__)

WARM_UP = 3
REPORT = 50
"""Steps between two looks at the losses; only then the CPU waits for the GPU."""


class GraphedStep:
    """Draw a batch, train on it and average the weights, all of it on the device.

    Every call is one step. On a GPU the first call records it, after a few that do not learn;
    without one each call runs as it is.

    Args:
        network: what is trained, on its device.
        average: its averaged copy.
        loss: of the network's training outputs and the batch.
        optimizer: of the network; its learning rate becomes a tensor, ``lr``.
        dataset: where the pairs lie and how they are augmented.
        batch_size: pairs a step, drawn with replacement.
        clip: largest norm of the gradients.
        momentum: of the average.
        amp: bfloat16 autocast of the network.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        average: torch.nn.Module,
        loss: BiMSRecLoss,
        optimizer: torch.optim.Optimizer,
        dataset: OnDeviceDataset,
        batch_size: int,
        clip: float = 10.0,
        momentum: float = 0.002,
        amp: bool = True,
    ) -> None:
        self.network, self.average, self.loss, self.optimizer = network, average, loss, optimizer
        self.dataset, self.batch_size, self.clip, self.amp = dataset, batch_size, clip, amp
        self.weights = list(network.parameters())
        self.averaged = list(average.parameters())
        self.update_average = get_ema_multi_avg_fn(1 - momentum)
        self.device = dataset.device
        self.lr = torch.zeros((), device=self.device)
        self.random = self._generator()
        self.names: list[str] = []
        self.run: Callable[[], None] = self._record if self.device.type == "cuda" else self._step
        for group in optimizer.param_groups:
            group["lr"] = self.lr
            group["capturable"] = self.device.type == "cuda"
            group["foreach"] = self.device.type == "cuda"

    def __call__(self, lr: float) -> None:
        """One step with the given learning rate."""
        self.lr.fill_(lr)
        self.run()

    def terms(self) -> dict[str, float]:
        """Losses of the last step; waits for the device."""
        return dict(zip(self.names, self.values.tolist(), strict=True))

    def _generator(self) -> torch.Generator:
        """Random numbers of the device; those of a GPU's own generator move on in a graph."""
        if self.device.type == "cuda":
            return torch.cuda.default_generators[self.device.index or 0]
        return torch.default_generator

    def _record(self) -> None:
        """Run a few steps as they are, without learning, then record one."""
        lr = self.lr.clone()
        self.lr.zero_()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self._step()
        torch.cuda.current_stream().wait_stream(side)
        self.lr.copy_(lr)
        graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            self._step()
        self.run = graph.replay
        self.run()

    def _step(self) -> None:
        count = len(self.dataset.places)
        listed = torch.rand(self.batch_size, generator=self.random, device=self.device) * count
        batch = self.dataset.batch(listed.long().clamp(max=count - 1), self.random)
        image = batch["image"].contiguous(memory_format=torch.channels_last)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.amp, cache_enabled=False
        ):
            outputs = self.network(image)
        terms = self.loss(outputs, batch)
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.weights, self.clip)
        self.optimizer.step()
        self.update_average(self.averaged, self.weights, None)
        self.names = list(terms)
        self.values = torch.stack([term.detach() for term in terms.values()])


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
    learning_rate: float,
    seconds: float,
    ckpt_dir: str,
    validations: int = 4,
) -> None:
    """Train for a given time on one device, now and then validate and keep the averaged weights.

    ``ckpt_dir`` gets ``average.pt``, the averaged weights of the last validation, and from the
    evaluator ``model.pt``, the best of all. Such a run cannot be resumed; a further one starts
    from its weights.

    Args:
        step: one training step.
        evaluator: validates the averaged network and saves the best.
        learning_rate: highest of the schedule.
        seconds: how long; the schedule is stretched over it.
        ckpt_dir: folder.
        validations: how many, evenly spread.

    Raises:
        InputError: there are several processes, no time, or the loss is not finite.
    """
    if seconds <= 0:
        raise InputError(f"--seconds {seconds}: give more than 0")
    if world_size() > 1:
        raise InputError("configs/graphed.json: trains on one GPU; leave out multi_gpu_train.json")
    folder = Path(ckpt_dir)
    folder.mkdir(parents=True, exist_ok=True)
    step.network.train()
    start, steps, validated = time.perf_counter(), 0, 0
    while (progress := (time.perf_counter() - start) / seconds) < 1:
        for _ in range(REPORT):
            step(one_cycle(min(1.0, progress), learning_rate))
        terms = step.terms()
        steps += REPORT
        if not math.isfinite(terms["loss"]):
            raise InputError(
                f"the loss is {terms['loss']} after {steps} steps; lower --learning_rate"
            )
        rate = steps * step.batch_size / (time.perf_counter() - start)
        figures = " ".join(f"{name} {value:.4f}" for name, value in terms.items())
        logger.info("step %d: %s, %.1f pairs/s", steps, figures, rate)
        if progress * validations > validated + 1:
            validated += 1
            _keep(evaluator, step.average, folder)
    _keep(evaluator, step.average, folder)


def _keep(evaluator: SupervisedEvaluator, average: torch.nn.Module, folder: Path) -> None:
    """Write the averaged weights, atomically, and validate them."""
    staging = folder / "average.tmp"
    torch.save(average.state_dict(), staging)
    staging.replace(folder / "average.pt")
    evaluator.run()
