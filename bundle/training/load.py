"""Load a training pair of any kind: two pictures, a slice of two stacks, or a painted head."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Compose, LoadImaged, Resized, Transform

from bundle.images.decode import decode
from bundle.training.heads.pairs import load_head_slice
from bundle.training.stacks.load import load_stack_slice
from bundle.transforms.color import SplitColord

LOADERS: Mapping[str, Callable[..., tuple[torch.Tensor, torch.Tensor]]] = {
    "stacks": load_stack_slice,
    "heads": load_head_slice,
}
"""By the ``kind`` of a record: give fixed and moving, (C, size, size), 0 to 255."""


class LoadPaird(Transform):
    """Load ``fixed`` (1, S, S) and ``moving`` (4, S, S; Y, Cb, Cr, activity), both in [0, 1].

    A record without ``kind`` names two picture files.

    Args:
        image_size: S, pixels per side.
        palette_dir: see :class:`bundle.transforms.color.SplitColord`.
    """

    def __init__(self, image_size: int, palette_dir: str | None = None) -> None:
        keys, self.size = ("fixed", "moving"), image_size
        self.split = SplitColord(palette_dir)
        reading = LoadImaged(
            keys, reader="PILReader", reverse_indexing=False, converter=decode,
            ensure_channel_first=True,
        )  # fmt: skip
        resized = Resized(keys, (image_size, image_size), mode="area")
        self.pictures = Compose([reading, self.split, resized])

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Load one record."""
        loader = LOADERS.get(str(data.get("kind", "")))
        if loader is None:
            return self.pictures(dict(data))
        fixed, moving = loader(data, self.size)
        return self.split({**data, "fixed": fixed, "moving": moving})
