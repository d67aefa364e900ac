"""A data set that lies on the device and is augmented there, whole batches at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from monai.utils import convert_to_tensor
from torch.utils.data import Dataset
from tqdm import tqdm

PICTURES = ("fixed", "moving")
LABELS = ("modality", "name")


class OnDeviceDataset(Dataset):
    """All pairs as tensors of one size; a loader without processes asks for a batch at once.

    A batch depends on the seed, the epoch and its indices, and on nothing else.

    Args:
        data: the items.
        transform: deterministic transforms, done once; they leave ``fixed`` (1, H, W) and
            ``moving`` (4, H, W) of one size for all items.
        batch_transforms: random transforms, see :mod:`bundle.transforms.batched`.
        device: where the pairs lie.
        seed: of the random transforms.
        repeat: every item appears so many times, each time otherwise.
        progress: show a bar while reading.
    """

    def __init__(
        self,
        data: Sequence[Any],
        transform: Callable,
        batch_transforms: Sequence[Callable],
        device: torch.device,
        seed: int = 0,
        repeat: int = 1,
        progress: bool = True,
    ) -> None:
        items = [transform(item) for item in tqdm(data, "reading pairs", disable=not progress)]
        self.pictures = {
            key: torch.stack(
                [convert_to_tensor(item[key], torch.float32, track_meta=False) for item in items]
            ).to(device)
            for key in PICTURES
        }
        self.labels = {key: [item[key] for item in items] for key in LABELS}
        self.batch_transforms = batch_transforms
        self.device = torch.device(device)
        self.seed, self.repeat, self.epoch = seed, repeat, 0

    def __len__(self) -> int:
        return self.repeat * len(self.labels["name"])

    def set_epoch(self, epoch: int) -> None:
        """Choose the random numbers of an epoch."""
        self.epoch = epoch

    def __getitems__(self, indices: list[int]) -> dict[str, Any]:
        """One batch, with what the network and the losses need."""
        state = np.random.SeedSequence([self.seed, self.epoch, *indices]).generate_state(1)
        random = torch.Generator(self.device).manual_seed(int(state[0]))
        places = [index % len(self.labels["name"]) for index in indices]
        batch: dict[str, Any] = {key: images[places] for key, images in self.pictures.items()}
        batch |= {key: [names[place] for place in places] for key, names in self.labels.items()}
        for transform in self.batch_transforms:
            batch = transform(batch, random)
        batch["image"] = torch.cat([batch["fixed"], batch["deformed"][:, :1]], dim=1)
        return batch

    @staticmethod
    def collate(batch: dict[str, Any]) -> dict[str, Any]:
        """For the loader: a batch is one already."""
        return batch
