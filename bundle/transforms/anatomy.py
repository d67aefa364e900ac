"""Labels and landmarks that the phantom's pairs come with."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import Transform
from PIL import Image


class LoadAnatomyd(Transform):
    """Load ``.../labels/NAME.png`` and ``NAME.json`` beside ``.../MRI/NAME.png``, if they exist.

    Adds ``labels`` (1, H, W) and ``landmarks`` (K, 2; voxels, rows before columns) to the item.
    Comes before the transform that loads ``fixed``, whose path it reads.

    Args:
        image_size: pixels per side to which the pictures will be resized.
    """

    def __init__(self, image_size: int) -> None:
        self.image_size = image_size

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Apply to one item."""
        item, picture = dict(data), Path(data["fixed"])
        path = picture.parents[1] / "labels" / picture.name
        if not path.is_file():
            return item
        side = (self.image_size, self.image_size)
        with Image.open(path) as image:
            ratio = np.array(side) / image.size[::-1]
            labels = np.asarray(image.resize(side, Image.Resampling.NEAREST))
        points = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        scaled = (np.array(list(points.values())).reshape(-1, 2) + 0.5) * ratio - 0.5
        scaled = scaled.clip(0, self.image_size - 1)
        item["labels"] = torch.from_numpy(labels.astype(np.float32))[None]
        item["landmarks"] = torch.from_numpy(scaled.astype(np.float32))
        return item
