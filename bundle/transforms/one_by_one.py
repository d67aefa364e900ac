"""Transforms of batches for one item at a time, as the loaders of a CPU want them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.transforms import Randomizable, Transform
from monai.utils import convert_to_tensor

from bundle.domain import LEVELS, MODALITIES

PICTURES = ("fixed", "moving")


class OneByOned(Randomizable, Transform):
    """Apply transforms of batches to single items: an item is a batch of one.

    Args:
        transforms: each is called with a batch and a generator, see :mod:`bundle.transforms`.
    """

    def __init__(self, transforms: Sequence[Callable]) -> None:
        self.transforms = transforms

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Apply to one item with ``fixed`` (1, H, W), ``moving`` (4, H, W) and ``modality``."""
        batch: dict[str, Any] = {
            key: convert_to_tensor(data[key], torch.float32, track_meta=False)[None]
            for key in PICTURES
        }
        batch["modality_index"] = torch.tensor([MODALITIES.index(data["modality"])])
        random = torch.Generator().manual_seed(int(self.R.randint(2**31)))
        for transform in self.transforms:
            batch = transform(batch, random)
        item = {key: value[0] for key, value in batch.items() if key != "modality_index"}
        if "level" in item:
            item["level"] = list(LEVELS)[int(item["level"])]
        return dict(data) | item
