"""Pairs that lie on the device and are augmented there, whole batches at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from monai.utils import convert_to_tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from bundle.domain import MODALITIES
from bundle.transforms.one_by_one import PICTURES


class OnDeviceDataset(Dataset):
    """All pairs as tensors of one size; a loader gives their places, a step makes the batch.

    Args:
        data: the items; pictures listed more than once are read and kept once.
        transform: deterministic transforms, done once; they leave ``fixed`` (1, H, W) and
            ``moving`` (4, H, W) of one size for all items.
        augmentation: random transforms, see :mod:`bundle.transforms`.
        device: where the pairs lie.
        progress: show a bar while reading.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable,
        augmentation: Sequence[Callable],
        device: torch.device,
        progress: bool = True,
    ) -> None:
        files = [_source(item) for item in data]
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
        kinds = [MODALITIES.index(item["modality"]) for item in unique.values()]
        self.kinds = torch.tensor(kinds, device=self.device)
        self.augmentation = augmentation

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> int:
        """The place of a pair: the step itself takes what lies on the device."""
        return index % len(self)

    def batch(self, listed: torch.Tensor, random: torch.Generator) -> dict[str, Any]:
        """Pairs by their places in the list, augmented; nothing waits for the device.

        Args:
            listed: (B,), places in the list of items.
            random: a generator of the device.

        Returns:
            ``image``, ``fixed``, ``aligned``, ``deformed`` and ``ddf`` as
            :class:`bundle.transforms.stack.StackImaged` gives them, and the numbers
            ``modality_index`` and ``level`` of modalities and levels, (B,).
        """
        places = self.places[listed]
        batch: dict[str, Any] = {key: images[places] for key, images in self.pictures.items()}
        batch["modality_index"] = self.kinds[places]
        for transform in self.augmentation:
            batch = transform(batch, random)
        batch["image"] = torch.cat([batch["fixed"], batch["deformed"][:, :1]], dim=1)
        return batch


def _source(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells the pictures of an item from others: files, and which part of them."""
    files = (os.path.realpath(item[key]) for key in PICTURES)
    parts = ("modality", "slice", "plane", "position", "thickness", "painting")
    return (*files, *(item.get(part) for part in parts))
