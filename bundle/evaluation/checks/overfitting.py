"""Can a network learn a handful of pairs by heart? One that cannot will not learn thousands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import default_collate

from bundle.domain import REFERENCE_SIZE
from bundle.losses import BiMSRecLoss
from bundle.metrics.endpoint_error import endpoint_error
from bundle.training.steps import IMAGES

PASSED = 0.5  # px of 256


def overfit(
    network: torch.nn.Module,
    loss: BiMSRecLoss,
    items: Sequence[dict[str, Any]],
    steps: int,
    every: int,
    learning_rate: float = 1e-3,
) -> Iterator[tuple[int, float]]:
    """Train on all items at once, step after step.

    Args:
        network: its training outputs hold ``ddf``.
        loss: takes the training outputs and the batch.
        items: of the evaluation's data set; one batch.
        steps: how many.
        every: after how many steps to report.
        learning_rate: of AdamW, constant.

    Yields:
        (step, mean EPE in px of 256); step 0 is no registration.
    """
    batch = default_collate([{key: item[key] for key in IMAGES} for item in items])
    ratio = REFERENCE_SIZE / max(batch["ddf"].shape[-2:])

    def error(ddf: torch.Tensor) -> float:
        mean, _ = endpoint_error(ddf.detach(), batch["ddf"], batch["fixed"] * 255)
        return float(mean.nanmean()) * ratio

    yield 0, error(torch.zeros_like(batch["ddf"]))
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, learning_rate, weight_decay=1e-4)
    network.train()
    for step in range(1, steps + 1):
        optimizer.zero_grad(set_to_none=True)
        outputs = network(batch["image"])
        loss(outputs, batch)["loss"].backward()
        optimizer.step()
        if step % every == 0 or step == steps:
            yield step, error(outputs["ddf"])


def field_only_loss() -> BiMSRecLoss:
    """The field loss of the ddf alone, for networks without scales."""
    return BiMSRecLoss(flows_weight=0.0, matches_weight=0.0, correspondence_weight=0.0)
