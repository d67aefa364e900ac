"""Transforms of batches for one item at a time, as the loaders of a CPU want them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Randomizable, Transform
from monai.utils import convert_to_tensor

from bundle.domain import MODALITIES

PICTURES = ("fixed", "moving")


class OneByOne(Randomizable, Transform):
    """Apply a transform of batches to single items.

    Args:
        transform: called with a batch of one and a generator.
    """

    def __init__(self, transform: Callable) -> None:
        self.transform = transform

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Apply to one item with ``fixed`` (1, H, W), ``moving`` (C, H, W) and ``modality``."""
        item = dict(data)
        batch: dict[str, Any] = {
            key: convert_to_tensor(item[key], torch.float32, track_meta=False)[None]
            for key in PICTURES
        }
        batch["kind"] = torch.tensor([MODALITIES.index(item["modality"])])
        random = torch.Generator().manual_seed(int(self.R.randint(2**31)))
        changed = self.transform(batch, random)
        return item | {key: changed[key][0] for key in PICTURES}
