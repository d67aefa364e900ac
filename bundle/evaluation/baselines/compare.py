"""Other methods on the pairs of the evaluation: one row per fusion rule, the same measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch.utils.data import Subset, default_collate
from tqdm import tqdm

from bundle.domain import LEVELS
from bundle.evaluation.baselines.fusion_rules import FUSION_RULES
from bundle.evaluation.reference_rows import Pair, picture_pair
from bundle.paths import ROOT

CONFIGS = ("train", "evaluate")

Registration = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def evaluation_data(
    dataset_dir: str | None,
    image_size: int = 256,
    stride: int = 1,
    levels: Sequence[str] = tuple(LEVELS),
) -> Subset:
    """The very items of ``run evaluating``: files, levels and deformations.

    A stride leaves pairs out and does not change the others, whose deformations are seeded by
    their place in the whole list (``--val_stride`` of the evaluation makes another list).

    Args:
        dataset_dir: folder in AANLIB's layout; None = the phantom.
        image_size: pixels per side.
        stride: keep every ``stride``-th pair.
        levels: the levels of misalignment to keep.

    Returns:
        items as :class:`bundle.evaluation.control.ControlledDataset` gives them.

    Raises:
        SystemExit: the folder cannot be used; one line names why.
    """
    config = ConfigParser()
    config.read_config([ROOT / "configs" / f"{name}.json" for name in CONFIGS])
    config["dataset_dir"] = dataset_dir
    config["image_size"] = image_size
    dataset = config.get_parsed_content("evaluate#dataset")
    names = dict.fromkeys((pair["modality"], pair["name"]) for pair in dataset.pairs)
    kept = set(list(names)[::stride])
    chosen = [
        index
        for index, pair in enumerate(dataset.pairs)
        if (pair["modality"], pair["name"]) in kept and pair["level"] in levels
    ]
    return Subset(dataset, chosen)


def compare(data: Any, methods: Mapping[str, Registration]) -> list[dict[str, Any]]:
    """Register every item by every method, fuse by every rule, and measure.

    Args:
        data: from :func:`evaluation_data`.
        methods: name to a function of ``fixed`` and ``moving`` (1, 1, H, W), luma 0 to 255, that
            gives the ddf (1, 2, H, W), voxels, ij, pull-back.

    Returns:
        rows of the tables, with ``seconds``, the processor time of the registration.
    """
    rows = []
    for index in tqdm(range(len(data)), desc="baselines"):
        item = data[index]
        pair = picture_pair(default_collate([item]))
        ids = {name: item[name] for name in ("modality", "level", "case")} | {"pair": item["name"]}
        for name, register in methods.items():
            start = time.process_time()
            ddf = register(pair.fixed, pair.deformed)
            seconds = time.process_time() - start
            rows += [{**ids, **row, "seconds": seconds} for row in method_rows(pair, name, ddf)]
    return rows


def method_rows(pair: Pair, name: str, ddf: torch.Tensor) -> list[dict[str, Any]]:
    """Measures of one field, once per fusion rule."""
    warped = pair.warped(ddf)
    registration = pair.registration(ddf)
    return [
        {"row": f"{name} + {rule}", **pair.fusion(fuse(pair.fixed, warped)), **registration}
        for rule, fuse in FUSION_RULES.items()
    ]


def no_registration(fixed: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
    """The zero field (1, 2, H, W)."""
    return torch.zeros(1, 2, *fixed.shape[-2:])


def network_method(network: Any) -> Registration:
    """The ddf that a network hands out, as a method.

    Args:
        network: its method ``register`` takes (1, 2, H, W) in [0, 1] and gives (1, 2, H, W).
    """

    def register(fixed: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return network.register(torch.cat([fixed, moving], dim=1).float() / 255).float()

    return register


def methods_in(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the rows in order of first appearance."""
    return list(dict.fromkeys(row["row"] for row in rows))
