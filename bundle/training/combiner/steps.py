"""One validation step of the network that combines two fields."""

from __future__ import annotations

from typing import Any

import torch
from monai.engines import SupervisedEvaluator

from bundle.losses.brain import mean_distance
from bundle.networks import autocast
from bundle.networks.field_combiner import TwoFields
from bundle.workflow.parallel import unwrap


def validate_step(engine: SupervisedEvaluator, batch: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure the fields of one batch in the brain.

    Args:
        engine: the evaluator.
        batch: collated items of the validation data set.

    Returns:
        for each sample ``modality``, ``level`` and the mean error in voxels of no field
        (``before``), of the weighted sum (``sum``) and of the network's field (``ddf``).
    """
    device = torch.device(engine.state.device)
    image, truth, brain = (batch[key].to(device) for key in ("image", "ddf", "brain"))
    network: Any = unwrap(engine.network)
    network.eval()
    with torch.no_grad(), autocast(device, engine.amp):
        found = network(image)[:, :3]
    fields = {"before": torch.zeros_like(truth), "sum": TwoFields.unpacked(image).sum, "ddf": found}
    errors = {name: mean_distance(one, truth, brain).tolist() for name, one in fields.items()}
    return [
        {
            "modality": batch["modality"][i],
            "level": batch["level"][i],
            **{name: values[i] for name, values in errors.items()},
        }
        for i in range(len(image))
    ]
