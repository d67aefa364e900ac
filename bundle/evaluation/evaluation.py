"""Evaluation of the network on seeded deformations: its pairs and one step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.engines import SupervisedEvaluator

from bundle.evaluation import reference_rows
from bundle.evaluation.reference_rows import METHOD, as_written, picture_pair
from bundle.networks import autocast
from bundle.training.aanlib import one_subject_of
from bundle.training.pairs import training_pairs, with_levels

ONE = "one"
"""The case of pairs that all show one subject."""


def evaluation_pairs(
    root: str | None, stride: int = 1, one_subject: Sequence[str] | None = None
) -> list[dict[str, str]]:
    """Validation pairs at every level.

    Args:
        root: folder in AANLIB's layout; None = the phantom.
        stride: keep every ``stride``-th pair.
        one_subject: modalities whose pairs all show one subject, whatever their names say; they
            become one case. None: AANLIB's PET, told by its names.

    Returns:
        as :func:`bundle.training.pairs.list_pairs`, with ``level``.

    Raises:
        InputError: see :func:`bundle.training.pairs.list_pairs`.
    """
    pairs = with_levels(training_pairs(root, "val"), stride)
    if one_subject is None:
        one_subject = one_subject_of(pairs)
    return [pair | ({"case": ONE} if pair["modality"] in one_subject else {}) for pair in pairs]


def evaluate_step(engine: SupervisedEvaluator, batch: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure the network and the reference rows on one pair.

    Args:
        engine: the evaluator; its network offers ``all_fields`` and ``register``.
        batch: one item of :class:`bundle.evaluation.control.ControlledDataset`, collated.

    Returns:
        per row of the tables ``modality``, ``level``, ``row``, ``case``, ``pair`` and the
        measures that belong to it.
    """
    pair = picture_pair(batch)
    network: Any = engine.network
    image = torch.cat([pair.fixed, pair.deformed], dim=1) / 255
    output = _infer(engine, network, image)
    flows = _infer(engine, lambda image: network.all_fields(image)["flows"], image)
    fused, ddf = output[:, :1] * 255, output[:, 1:]
    rows = reference_rows.method_row(pair, fused, ddf, flows)
    rows[METHOD] |= reference_rows.color_terms(fused, batch["deformed"], ddf)
    rows |= reference_rows.copy_rows(pair)
    rows |= reference_rows.known_field_rows(pair)
    rows |= reference_rows.blend_rows(pair, ddf)
    if "other_fixed" in batch:
        image = torch.cat([as_written(batch["other_fixed"] * 255), pair.deformed], dim=1) / 255
        rows |= reference_rows.control_row(pair, _infer(engine, network.register, image))
    ids = {name: batch[name][0] for name in ("modality", "level", "case")}
    ids["pair"] = batch["name"][0]
    return [{**ids, "row": name, **measures} for name, measures in rows.items()]


def _infer(engine: SupervisedEvaluator, function: Any, image: torch.Tensor) -> torch.Tensor:
    """Run a part of the network without gradients on its device; float32 on the CPU."""
    device = torch.device(engine.state.device)
    engine.network.eval()
    with torch.no_grad(), autocast(device, engine.amp):
        return function(image.to(device, memory_format=torch.channels_last)).float().cpu()
