"""Samples as items of training: read, mirrored now and then, in another contrast."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from monai.transforms import Randomizable, Transform

from bundle.errors import InputError
from bundle.networks.field_combiner import TwoFields
from bundle.training.combiner.plan import name_parts

PARTS = ("image", "head", "learnt", "optimised", "spread", "weights", "truth", "brain")


def sample_records(root: str | Path, split: str) -> list[dict[str, str]]:
    """List the samples of a split.

    Args:
        root: folder that ``scripts.field_samples`` made.
        split: ``train`` or ``val``.

    Returns:
        records: ``path``, ``name``, ``modality`` and ``level`` (scan and misalignment).

    Raises:
        InputError: there is none.
    """
    paths = sorted((Path(root) / split).glob("*_*_head_*.npz"))
    if not paths:
        raise InputError(f"{root}: holds no samples in {split}/; make them: scripts.field_samples")
    return [_record(path) for path in paths]


def _record(path: Path) -> dict[str, str]:
    modality, level = name_parts(path)
    return {"path": str(path), "name": path.stem, "modality": modality, "level": level}


class LoadSample(Transform):
    """Read a sample.

    Adds its parts as tensors of the types that they have in the file, see
    :func:`bundle.training.combiner.make.make_sample`.

    Raises:
        InputError: the file is damaged.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Read one."""
        try:
            with np.load(str(data["path"])) as parts:
                found: dict[Hashable, Any] = {name: torch.from_numpy(parts[name]) for name in PARTS}
        except (OSError, KeyError, ValueError, BadZipFile) as error:
            raise InputError(f"{data['path']}: cannot be read as a sample; make it anew") from error
        return {**data, **found}


class RandSample(Randomizable, Transform):
    """Vary a sample, and put what the network takes into ``image``.

    Args:
        mirror_prob: how often left and right change places.
        gamma: exponents of the brightness of each image, from and to.
    """

    def __init__(self, mirror_prob: float = 0.5, gamma: tuple[float, float] = (0.7, 1.4)) -> None:
        self.mirror_prob, self.gamma = mirror_prob, gamma

    def randomize(self, data: Any = None) -> None:
        """Draw."""
        self.mirrored = self.R.random() < self.mirror_prob
        self.exponents = self.R.uniform(*self.gamma, 2)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Vary one."""
        self.randomize()
        parts = {name: data[name].float() for name in PARTS}
        exponents = torch.tensor(self.exponents, dtype=torch.float32).view(2, 1, 1, 1)
        parts["image"] = (parts["image"] / 255) ** exponents
        if self.mirrored:
            parts |= {name: mirrored(name, parts[name]) for name in PARTS if name != "weights"}
        truth, brain, head = parts.pop("truth"), parts.pop("brain"), parts["head"]
        fields = TwoFields(**{name: part[None] for name, part in parts.items()})
        kept = {key: value for key, value in data.items() if key not in PARTS}
        return {**kept, "image": fields.packed()[0], "ddf": truth, "brain": brain, "head": head}


def mirrored(name: str, part: torch.Tensor) -> torch.Tensor:
    """A part of a sample with left and right exchanged: columns backwards, their steps negated."""
    flipped = part.flip(2)
    if name in ("learnt", "optimised", "truth"):
        flipped = flipped * torch.tensor([1.0, -1.0, 1.0]).view(3, 1, 1, 1)
    return flipped
