"""A data set that lies on the device and is augmented there, whole batches at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from monai.utils import convert_to_tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from bundle.domain import LEVELS, MODALITIES
from bundle.transforms.one_by_one import PICTURES


class OnDeviceDataset(Dataset):
    """All pairs as tensors of one size; a loader without processes asks for a batch at once.

    A batch depends on the seed, the epoch and its indices, and on nothing else.

    Args:
        data: the items; pictures listed more than once are read and kept once.
        transform: deterministic transforms, done once; they leave ``fixed`` (1, H, W) and
            ``moving`` (4, H, W) of one size for all items.
        batch_transforms: random transforms, see :mod:`bundle.transforms`.
        device: where the pairs lie.
        seed: of the random transforms.
        repeat: every item appears so many times, each time otherwise.
        progress: show a bar while reading.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable,
        batch_transforms: Sequence[Callable],
        device: torch.device,
        seed: int = 0,
        repeat: int = 1,
        progress: bool = True,
    ) -> None:
        files = [tuple(os.path.realpath(item[key]) for key in ("fixed", "moving")) for item in data]
        unique = dict(zip(reversed(files), reversed(data), strict=True))
        with ThreadPoolExecutor() as pool:
            read = pool.map(transform, unique.values())
            items = list(tqdm(read, "reading pairs", len(unique), disable=not progress))
        self.device = torch.device(device)
        self.pictures = {
            key: torch.stack(
                [convert_to_tensor(item[key], torch.float32, track_meta=False) for item in items]
            ).to(self.device)
            for key in PICTURES
        }
        order = {path: index for index, path in enumerate(unique)}
        self.places = torch.tensor([order[file] for file in files], device=self.device)
        self.data = data
        self.labels = {key: [item[key] for item in data] for key in ("modality", "name")}
        kinds = [MODALITIES.index(item["modality"]) for item in unique.values()]
        self.kinds = torch.tensor(kinds, device=self.device)
        self.batch_transforms = batch_transforms
        self.seed, self.repeat, self.epoch = seed, repeat, 0

    def __len__(self) -> int:
        return self.repeat * len(self.places)

    def set_epoch(self, epoch: int) -> None:
        """Choose the random numbers of an epoch."""
        self.epoch = epoch

    def __getitems__(self, indices: list[int]) -> dict[str, Any]:
        """One batch, with what the network, the losses and the log need."""
        state = np.random.SeedSequence([self.seed, self.epoch, *indices]).generate_state(1)
        random = torch.Generator(self.device).manual_seed(int(state[0]))
        listed = [index % len(self.places) for index in indices]
        batch = self.batch(torch.tensor(listed, device=self.device), random)
        batch |= {key: [names[index] for index in listed] for key, names in self.labels.items()}
        levels = list(LEVELS)
        batch["index"] = listed
        batch["level"] = [levels[index] for index in batch["level"].tolist()]
        return batch

    def batch(self, listed: torch.Tensor, random: torch.Generator) -> dict[str, Any]:
        """Pairs by their places in the list, augmented; nothing waits for the device.

        Args:
            listed: (B,), places in the list of items.
            random: a generator of the device.

        Returns:
            ``image``, ``fixed``, ``aligned``, ``deformed`` and ``ddf`` as
            :class:`bundle.transforms.stack.StackImaged` gives them, and the numbers ``kind`` and
            ``level`` of modalities and levels, (B,).
        """
        places = self.places[listed]
        batch: dict[str, Any] = {key: images[places] for key, images in self.pictures.items()}
        batch["kind"] = self.kinds[places]
        for transform in self.batch_transforms:
            batch = transform(batch, random)
        batch["image"] = torch.cat([batch["fixed"], batch["deformed"][:, :1]], dim=1)
        return batch

    @staticmethod
    def collate(batch: dict[str, Any]) -> dict[str, Any]:
        """For the loader: a batch is one already."""
        return batch
