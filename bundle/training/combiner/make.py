"""Make a sample: register a prepared head in both ways, and keep the fields and the true one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bundle.registration.combined import WEIGHTS, head_cells, two_fields
from bundle.registration.optimised import optimised_field
from bundle.registration.three_planes import three_plane_field
from bundle.training.combiner.prepare import PreparedHead


@torch.no_grad()
def make_sample(prepared: PreparedHead, modality: str, network: Any) -> dict[str, np.ndarray]:
    """Make a sample.

    Args:
        prepared: the pair, and the field that is wanted.
        modality: of the moving volume.
        network: see :func:`bundle.networks.load_network`.

    Returns:
        ``image`` (2, 2 h, 2 w, 2 d), uint8; the other parts of
        :class:`bundle.networks.field_combiner.TwoFields` without their first axis; ``truth`` (3, h,
        w, d), the displacements that are wanted, in voxels of the images; ``brain`` (1, h, w, d),
        share of each cell: float16.
    """
    pair, weights = prepared.pair, WEIGHTS[modality]
    learnt, optimised = three_plane_field(pair, network), optimised_field(pair, modality)
    assert optimised is not None  # heads and slabs are thick enough
    fields = two_fields(pair, learnt, optimised, weights)
    near = (slice(None), *head_cells(pair))
    half = {
        name: getattr(fields, name)[0].numpy().astype(np.float16)
        for name in ("head", "learnt", "optimised", "spread", "weights")
    }
    return half | {
        "image": (fields.image[0] * 255).round().byte().numpy(),
        "truth": prepared.truth[near].numpy().astype(np.float16),
        "brain": prepared.brain[near].numpy().astype(np.float16),
    }
