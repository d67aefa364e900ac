"""A field in three dimensions, brought closer on voxels of about 1 mm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.ndimage import maximum_filter

from bundle.registration.around_head import continued, head_box
from bundle.registration.coarse import (
    CoarsePair,
    blurred,
    finer_images,
    from_voxels,
    in_voxels,
)
from bundle.registration.elastic_field import ElasticField
from bundle.registration.instance_optimisation import instance_optimisation, spline_beside
from bundle.registration.optimised import BLURRED
from bundle.registration.pairs import InitializedPair
from bundle.registration.self_similarity import self_similarities
from bundle.registration.unfolding import without_folds

LARGEST = 4e7
"""Voxels of about 1 mm, at most: fields of larger volumes stay as they are."""

DISTANCE = 1
"""Voxels of about 1 mm from a voxel to the patches that are compared around it."""

NEAR = 2
"""Voxels of about 2 mm around the head that count."""

APART = 3
"""Voxels of about 2 mm from one control point of the B-spline to the next."""

STEPS, RATE = 5, 0.3
"""Of Adam, the rate in voxels of about 2 mm: few steps, as more of them leave the given field."""

SMOOTHNESS = {"CT": 3.0, "PET": 3.0, "SPECT": 12.0, "MR": 3.0, None: 3.0}
"""Weight of the squared gradient of the control points, by modality of the moving volume.

With 3 the error of SPECT, which shows nothing so fine, falls by 1 %, with 12 to 60 by 2 to 3 %
(four painted training heads); with 6 and 12 that of the others is larger on average than with 3.
"""

SMOOTHED = 3.0
"""Width in mm of the Gaussian over the result."""

SPREAD = {"CT": 0.75, "PET": 0.75, "SPECT": 1.0, "MR": 0.75, None: 0.75}
"""Of the given field's spread what is left, by modality: errors are smaller.

Of painted heads 15 to 17 still 99 % and more lie below twice the product (CT, PET, MRI). Where
slices are thick all of it is left.
"""


@torch.inference_mode(False)
def finer_field(initial: InitializedPair, pair: CoarsePair, elastic: ElasticField) -> ElasticField:
    """Go on from a field by self-similarities of voxels half as large.

    Their means over eight voxels are compared, so field and features have voxels of about 2 mm.

    Args:
        initial: the pair after its start.
        pair: the same in voxels of about 2 mm.
        elastic: a field on the grid of ``pair``.

    Returns:
        the field on the same grid, and its spread; both as they were of large fields of view.
    """
    modality = initial.pair.modality
    if 8 * pair.image[0].numel() > LARGEST:
        return elastic
    box = head_box(pair)
    total = in_voxels(elastic.field, pair.spacing)
    given = torch.from_numpy(total[(slice(None), *box)].astype(np.float32))
    fixed, moving = finer_images(initial, pair, box)
    head = pair.head[0][box].numpy()
    halves = [step / 2 for step in pair.spacing]
    inside = torch.from_numpy(np.kron(head, np.ones((2, 2, 2), bool)))
    fixed = blurred(fixed[None], BLURRED[modality], halves)[0] * inside
    displacement = instance_optimisation(
        self_similarities(fixed, DISTANCE, 2),
        self_similarities(moving, DISTANCE, 2),
        torch.from_numpy(maximum_filter(head, 2 * NEAR + 1)),
        spline_beside(given, APART),
        STEPS,
        RATE,
        SMOOTHNESS[modality],
    )
    total += continued((displacement - given).numpy(), box, total.shape[1:])
    smooth = blurred(total, SMOOTHED, pair.spacing)
    found = replace(elastic, field=without_folds(from_voxels(smooth, pair)), finer=True)
    if initial.thick or found.spread is None:
        return found
    return replace(found, spread=SPREAD[modality] * found.spread)
