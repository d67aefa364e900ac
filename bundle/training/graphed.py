"""Training as one CUDA graph: a GPU that does not wait for Python.

A training step of this network is about ten thousand small kernels. Started one by one they keep a
fast GPU waiting most of the time; recorded once and replayed as a graph they follow one another at
once (figures: docs/scaling.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from bundle.errors import InputError
from bundle.losses import BiMSRecLoss
from bundle.training.on_device import OnDeviceDataset

WARM_UP = 3


def require_on_device(dataset: Any) -> None:
    """Check a data set before MONAI makes a step of it, which would wrap what is wrong.

    Args:
        dataset: the training pairs.

    Raises:
        InputError: they do not lie on the device.
    """
    if not isinstance(dataset, OnDeviceDataset):
        raise InputError("configs/graphed.json: needs configs/on_device.json before it")


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
        self._prepare_optimizer()

    def __call__(self, lr: float) -> None:
        """One step with the given learning rate."""
        self.lr.fill_(lr)
        self.run()

    def terms(self) -> dict[str, float]:
        """Losses of the last step; waits for the device."""
        return dict(zip(self.names, self.values.tolist(), strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Network, average and optimiser."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state_dict`; before the first step."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._prepare_optimizer()

    def _prepare_optimizer(self) -> None:
        """Let it read the learning rate off the device, and step without looking at it."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr
            group["capturable"] = self.device.type == "cuda"
            group["foreach"] = self.device.type == "cuda"

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
