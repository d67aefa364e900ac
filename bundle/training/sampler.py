"""Which pairs an epoch trains on."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch.utils.data import Sampler

from bundle.workflow.parallel import rank, world_size


class EpochSampler(Sampler[int]):
    """A fixed number of pairs per epoch, drawn without repeats until all have been seen.

    The order depends on the seed and the epoch alone, so that a run that was stopped goes on with
    the pairs that it would have had. Several processes share an epoch.

    Args:
        dataset: the pairs.
        pairs: per epoch, of all processes together; None: as many as the data set has.
        seed: of the order.
    """

    def __init__(self, dataset: Sized, pairs: int | None = None, seed: int = 0) -> None:
        self.size = len(dataset)
        self.count = (pairs or self.size) // world_size()
        self.seed = seed
        self.epoch = 1
        self._lap, self._permutation = -1, torch.empty(0)

    def set_epoch(self, epoch: int) -> None:
        """Choose the pairs of an epoch, from 1."""
        self.epoch = epoch

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer, as a handler."""
        engine.add_event_handler(Events.EPOCH_STARTED, lambda e: self.set_epoch(e.state.epoch))

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        together = self.count * world_size()
        first = (self.epoch - 1) * together
        for place in range(first + rank(), first + together, world_size()):
            lap, within = divmod(place, self.size)
            # the lap tells apart the random numbers of a pair that an epoch has more than once
            yield int(self._order(lap)[within]) + self.size * (lap - first // self.size)

    def _order(self, lap: int) -> torch.Tensor:
        """The order in which all pairs are seen for the lap-th time."""
        if self._lap != lap:
            state = np.random.SeedSequence([self.seed, lap]).generate_state(1)
            generator = torch.Generator().manual_seed(int(state[0]))
            self._lap, self._permutation = lap, torch.randperm(self.size, generator=generator)
        return self._permutation
