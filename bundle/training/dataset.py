"""A cached data set whose random transforms depend on (seed, epoch, item) and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from monai.data import CacheDataset
from monai.transforms import Compose


class SeededDataset(CacheDataset):
    """MONAI's ``CacheDataset``, reproducible whatever the number of workers or processes.

    Each item gets ``index``, its place in ``data``. Indices go on beyond the last item: they name
    the same items again, with other random numbers.

    Args:
        data: the items, dictionaries.
        transform: deterministic transforms (cached), then random ones.
        seed: with the epoch and the item's index it seeds the random transforms.
        cache_rate: share of the items, in [0, 1], that stay in memory after reading.
        progress: show a bar while caching.
    """

    def __init__(
        self,
        data: Sequence[Any],
        transform: Sequence[Callable] | Callable,
        seed: int = 0,
        cache_rate: float = 1.0,
        progress: bool = True,
    ) -> None:
        super().__init__(
            data, transform, cache_rate=cache_rate, num_workers=1, progress=progress,
            copy_cache=False,
        )  # fmt: skip
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the random numbers of an epoch."""
        self.epoch = epoch

    def _transform(self, index: int) -> Any:
        state = np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(1)
        assert isinstance(self.transform, Compose)
        self.transform.set_random_state(seed=int(state[0]))
        listed = index % len(self)
        return {**super()._transform(listed), "index": listed}


class EpochSetter:
    """Handler that tells a :class:`SeededDataset` the trainer's epoch.

    Args:
        dataset: the data set.
    """

    def __init__(self, dataset: SeededDataset) -> None:
        self.dataset = dataset

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Pass the epoch on."""
        self.dataset.set_epoch(engine.state.epoch)
