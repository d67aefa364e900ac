"""The last transform of training items: what the network and the losses need, as tensors."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Transform
from monai.utils import convert_to_tensor

TENSORS = ("fixed", "aligned", "deformed", "ddf")
LABELS = ("modality", "level", "name")
ANATOMY = ("labels", "deformed_labels", "landmarks")


class StackImaged(Transform):
    """Keep ``fixed`` (1, H, W), ``aligned``, ``deformed`` (3, H, W), ``ddf`` (2, H, W), labels.

    Where anatomy is known, ``labels``, ``deformed_labels`` and ``landmarks`` stay as well.
    Adds the network's input ``image`` (2, H, W): ``fixed`` and the luminance of ``deformed``.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Apply to one item."""
        item: dict[Hashable, Any] = {
            key: convert_to_tensor(data[key], dtype=torch.float32, track_meta=False)[:3]
            for key in TENSORS
        }
        item["image"] = torch.cat([item["fixed"], item["deformed"][:1]])
        kept = LABELS + tuple(key for key in ANATOMY if key in data)
        return item | {key: data[key] for key in kept}
