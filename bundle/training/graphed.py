"""The training step for pairs that lie on the device; on a GPU one CUDA graph.

A step of this network is about ten thousand small kernels. Started one by one they keep a fast GPU
waiting most of the time; recorded once and replayed as a graph they follow one another at once
(figures: docs/scaling.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from monai.engines import SupervisedTrainer

from bundle.errors import InputError
from bundle.networks import autocast
from bundle.training.failures import NotFiniteError
from bundle.training.on_device import OnDeviceDataset
from bundle.workflow.parallel import world_size

WARM_UP = 3


class GraphedStep:
    """``iteration_update`` of a trainer whose loader gives places of an :class:`OnDeviceDataset`.

    Batch, network, losses and optimiser stay on the device. On a GPU the first call records them,
    after a few steps that do not learn; without one each call runs as it is.

    Args:
        dataset: where the pairs lie and how they are augmented.
        clip: largest norm of the gradients.
    """

    def __init__(self, dataset: OnDeviceDataset, clip: float = 10.0) -> None:
        self.dataset, self.clip = dataset, clip
        self.device = dataset.device
        self.lr = torch.zeros((), device=self.device)
        self.random = self._generator()
        self.names: list[str] = []
        self.run: Callable[[], None] | None = None

    def __call__(self, engine: SupervisedTrainer, places: torch.Tensor) -> list[dict[str, Any]]:
        """Train on one batch.

        Args:
            engine: the trainer.
            places: (B,), of the pairs.

        Returns:
            one entry: every loss term and the sum, ``loss``, tensors on the device.

        Raises:
            InputError: there are several processes.
            NotFiniteError: the loss is not finite; on a GPU, where a look at it would have to wait,
                :class:`bundle.training.term_logger.TermLogger` says so after the epoch.
        """
        engine.network.train()
        if self.run is None:
            self._prepare(engine, places)
        # from pinned memory, or the CPU would wait here until the GPU has done the step before
        source = places.pin_memory() if self.device.type == "cuda" else places
        self.places.copy_(source, non_blocking=True)
        self.lr.fill_(float(engine.optimizer.param_groups[0]["lr"]))
        assert self.run is not None
        self.run()
        return [dict(zip(self.names, self.values.clone().unbind(), strict=True))]

    def _prepare(self, engine: SupervisedTrainer, places: torch.Tensor) -> None:
        """Take what the trainer has, and let the optimiser step without looking at numbers."""
        if world_size() > 1:
            raise InputError("on_device.json: trains on one GPU; leave out multi_gpu_train.json")
        self.network, self.optimizer = engine.network, engine.optimizer
        self.loss, self.amp = engine.loss_function, engine.amp
        self.weights = list(self.network.parameters())
        self.places = torch.empty_like(places, device=self.device)
        graph = self.device.type == "cuda"
        for group in self.optimizer.param_groups:
            group["capturable"] = group["foreach"] = graph
        for state in self.optimizer.state.values() if graph else ():
            state["step"] = state["step"].to(self.device)  # of a run that a CPU began
        self.run = self._record if graph else self._step

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
        batch = self.dataset.batch(self.places, self.random)
        image = batch["image"].contiguous(memory_format=torch.channels_last)
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.device, self.amp, cache=False):
            outputs = self.network(image)
        terms = self.loss(outputs, batch)
        if self.device.type == "cpu" and not torch.isfinite(terms["loss"]):
            raise NotFiniteError(float(terms["loss"]), self._labels())
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.weights, self.clip)
        with self._rate_on_device():
            self.optimizer.step()
        self.names = list(terms)
        self.values = torch.stack([term.detach() for term in terms.values()])

    def _labels(self) -> list[dict[str, Any]]:
        """Modality, name and place in the list of each pair of the batch."""
        items = {place: self.dataset.data[place] for place in self.places.tolist()}
        return [
            {"modality": item["modality"], "name": item["name"], "index": place}
            for place, item in items.items()
        ]

    @contextmanager
    def _rate_on_device(self) -> Iterator[None]:
        """Let the optimiser read the learning rate where a graph finds it; the schedule's stays."""
        rates = [group["lr"] for group in self.optimizer.param_groups]
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr
        yield
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
