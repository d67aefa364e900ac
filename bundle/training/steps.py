"""One training step and one validation step, as MONAI's engines call them."""

from __future__ import annotations

from typing import Any

import torch
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.engines.utils import IterationEvents

from bundle.metrics.endpoint_error import endpoint_error
from bundle.networks import autocast
from bundle.training.failures import NotFiniteError
from bundle.workflow.parallel import unwrap

IMAGES = ("image", "fixed", "aligned", "deformed", "ddf")
WEIGHTS = ("brain", "head")


def to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Move the image tensors of a batch; ``image``, if it holds pictures, becomes channels-last."""
    moved = dict(batch)
    for key in (*IMAGES, *WEIGHTS):
        if key in moved:
            moved[key] = moved[key].to(device, non_blocking=True)
    if moved["image"].ndim == 4:
        moved["image"] = moved["image"].contiguous(memory_format=torch.channels_last)
    return moved


def train_step(engine: SupervisedTrainer, batch: dict[str, Any]) -> list[dict[str, float]]:
    """Train on one batch.

    The network runs in bfloat16 autocast where the trainer's ``amp`` is on and the device is fast
    in it (no gradient scaling is needed for bfloat16); fields, warps and losses are float32.

    Args:
        engine: the trainer.
        batch: collated items of the training data set.

    Returns:
        one entry, as MONAI's trackers expect it: every loss term and the sum, ``loss``.

    Raises:
        NotFiniteError: the loss is not finite; names the pairs of the batch.
    """
    device = torch.device(engine.state.device)
    batch = to_device(batch, device)
    engine.network.train()
    engine.optimizer.zero_grad(set_to_none=True)
    with autocast(device, engine.amp):
        outputs = engine.network(batch["image"])
    terms = engine.loss_function(outputs, batch)
    engine.fire_event(IterationEvents.LOSS_COMPLETED)
    if not torch.isfinite(terms["loss"]):
        raise NotFiniteError(float(terms["loss"]), _labels(batch))
    terms["loss"].backward()
    engine.fire_event(IterationEvents.BACKWARD_COMPLETED)
    engine.optimizer.step()
    engine.fire_event(IterationEvents.MODEL_COMPLETED)
    values = torch.stack([term.detach() for term in terms.values()]).tolist()  # one wait for a GPU
    return [dict(zip(terms, values, strict=True))]


def _labels(batch: dict[str, Any]) -> list[dict[str, Any]]:
    """Modality, name, level and place in the list of each pair of a batch."""
    labels = {key: batch[key] for key in ("modality", "name", "level", "index") if key in batch}
    return [dict(zip(labels, values, strict=True)) for values in zip(*labels.values(), strict=True)]


def validate_step(engine: SupervisedEvaluator, batch: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure every field of one batch on its own.

    Args:
        engine: the evaluator.
        batch: collated items of the validation data set.

    Returns:
        per pair ``modality``, ``level`` and the EPE in px of no registration (``before``), of
        the field handed out (``ddf``) and of each flow (``flow1`` ...).
    """
    device = torch.device(engine.state.device)
    batch = to_device(batch, device)
    network: Any = unwrap(engine.network)
    network.eval()
    with torch.no_grad(), autocast(device, engine.amp):
        outputs = network.all_fields(batch["image"])
    nothing = torch.zeros_like(outputs["ddf"])
    fields = torch.cat([nothing[:, None], outputs["ddf"][:, None], outputs["flows"]], dim=1)
    errors, _ = endpoint_error(fields, batch["ddf"], batch["fixed"] * 255)
    names = ["before", "ddf", *(f"flow{i + 1}" for i in range(errors.shape[1] - 2))]
    return [
        {"modality": modality, "level": level, **dict(zip(names, row.tolist(), strict=True))}
        for modality, level, row in zip(batch["modality"], batch["level"], errors, strict=True)
    ]
