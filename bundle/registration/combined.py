"""One field of two: the network's in three planes, and the optimiser's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
import torch
from torch.nn import functional

from bundle.geometry.region import box_of
from bundle.networks import autocast, load_combiner
from bundle.networks.field_combiner import CELL, TwoFields
from bundle.registration.coarse import (
    CoarsePair,
    blurred,
    from_voxels,
    in_voxels,
    scalar,
)
from bundle.registration.elastic_field import ElasticField
from bundle.registration.unfolding import without_folds

WEIGHTS = {
    "CT": (0.3, 0.85),
    "PET": (0.5, 0.7),
    "SPECT": (0.7, 0.55),
    "MR": (0.15, 1.0),
    None: (0.4, 0.75),
}
"""Weights of the network's and of the optimiser's field in their sum, by modality.

Both fall short of the true displacement, by half in the network's field of PET where the images say
little: so the weights sum to more than 1. Those of CT, PET and SPECT are about those of least
squares over 56 painted pairs of the training heads each; those of MR have the least mean error over
four such pairs, and what is not known gets about their mean.
"""

SMOOTHED = {"CT": 3.0, "PET": 3.0, "SPECT": 5.0}
"""Width in mm of the Gaussian over the corrected field, which was found in cells of about 4 mm."""

MARGIN = 1.2
"""Factor of the network's spread, which knows the errors of the heads that it has learnt only.

Chosen on the validation samples (heads 15 to 17): below twice the product lie 95 to 99 % of the
errors in the brain before the finer field, on average over each modality and kind of scan; without
it 88 to 97 %. Of purely rigid misalignments all errors lie below either.
"""

THICK_MARGIN = 1.8
"""The same where slices are thick. Chosen on eleven CT stacks of training patients: in nine, 86 to
100 % of the errors lie below twice the product. The alignment of the other two is in doubt."""

LEARNT = ("CT", "PET", "SPECT")
"""Modalities whose sum a network corrects that has learnt them; of others the sum is the field."""

ROOM = 4
"""Cells around the head in which the correction is computed."""


def combined(
    pair: CoarsePair,
    learnt: ElasticField,
    optimised: ElasticField,
    modality: str | None,
    thick: bool = False,
) -> ElasticField:
    """The weighted sum of two fields, corrected where a network has learnt how.

    A corrected field is smoothed. It folds nowhere. The spread is what the network gives that
    corrects; of other modalities it is the learnt field's and how far the two are from their
    weighted mean, as variances.

    Args:
        pair: what was registered.
        learnt: of the network in three planes.
        optimised: of :func:`bundle.registration.optimised.optimised_field`.
        modality: of the moving volume.
        thick: the slices of either volume are thick.
    """
    weights = WEIGHTS[modality]
    fields = (in_voxels(one.field, pair.spacing) for one in (learnt, optimised))
    first, second = (torch.from_numpy(one).float() for one in fields)
    total = weights[0] * first + weights[1] * second
    share = weights[1] / sum(weights)
    if modality in LEARNT:
        both = two_fields(pair, learnt, optimised, weights)
        added, spread = corrected(pair, both)
        spread *= THICK_MARGIN if thick else MARGIN
        total = blurred(total + added, SMOOTHED[modality], pair.spacing)
    else:
        spread = _spread_of_both(pair, learnt, optimised, share)
    field = without_folds(from_voxels(total, pair))
    return ElasticField(field, scalar(spread, pair.grid), learnt.planes, share)


def _spread_of_both(
    pair: CoarsePair, learnt: ElasticField, optimised: ElasticField, share: float
) -> np.ndarray:
    """Spread (H, W, D) in mm of a weighted mean in which the optimiser's field has a share."""
    apart = sitk.GetArrayFromImage(learnt.field) - sitk.GetArrayFromImage(optimised.field)
    variance = share * (1 - share) * np.square(apart).sum(axis=-1)
    if learnt.spread is not None:
        variance += np.square(sitk.GetArrayFromImage(learnt.spread))
    return np.moveaxis(np.sqrt(variance), 0, 2)


def two_fields(
    pair: CoarsePair, learnt: ElasticField, optimised: ElasticField, weights: Sequence[float]
) -> TwoFields:
    """What the network that combines them takes, around the head.

    Args:
        pair: what was registered.
        learnt: of the network in three planes.
        optimised: of the optimiser.
        weights: of both in their sum.
    """
    assert learnt.spread is not None
    cells, box = cells_of(pair), head_cells(pair)
    image = functional.interpolate(pair.image[None], [CELL * n for n in cells], mode="trilinear")
    voxels = (slice(None), slice(None), *(slice(CELL * b.start, CELL * b.stop) for b in box))
    spread = np.moveaxis(sitk.GetArrayFromImage(learnt.spread), 0, 2)[None] / np.mean(pair.spacing)
    fields = (in_voxels(one.field, pair.spacing) for one in (learnt, optimised))
    parts = (in_cells(part, cells)[None] for part in (pair.head.numpy(), *fields, spread))
    head, first, second, unsure = (part[(slice(None), slice(None), *box)] for part in parts)
    counted = torch.tensor([weights], dtype=torch.float32)
    return TwoFields(image[voxels], head, first, second, unsure, counted)


def corrected(pair: CoarsePair, fields: TwoFields) -> tuple[torch.Tensor, np.ndarray]:
    """What is to be added to the sum, (3, H, W, D) in voxels; the spread of both, (H, W, D) in mm.

    Beyond the cells around the head nothing is added, and the spread is that of the nearest one; it
    is without a margin.
    """
    with autocast(fields.image.device):
        found = load_combiner()(fields.packed())[0]
    near, cells, size = head_cells(pair), cells_of(pair), pair.image.shape[1:]
    added = torch.zeros(3, *cells)
    added[(slice(None), *near)] = found[:3] - fields.sum[0]
    beyond = [pad for box, n in zip(near[::-1], cells[::-1], strict=True)
              for pad in (box.start, n - box.stop)]  # fmt: skip
    spread = functional.pad(found[None, 3:], beyond, mode="replicate")
    whole = torch.cat([added[None], spread], dim=1)
    voxels = functional.interpolate(whole, size, mode="trilinear")[0]
    return voxels[:3], voxels[3].numpy() * float(np.mean(pair.spacing))


def cells_of(pair: CoarsePair) -> list[int]:
    """Cells of ``CELL`` voxels along each axis."""
    return [max(1, round(count / CELL)) for count in pair.image.shape[1:]]


def in_cells(volume: np.ndarray, cells: Sequence[int]) -> torch.Tensor:
    """(C, H, W, D) as means over cells, float32."""
    values = torch.from_numpy(np.ascontiguousarray(volume, dtype=np.float32))
    return functional.interpolate(values[None], list(cells), mode="area")[0]


def head_cells(pair: CoarsePair) -> tuple[slice, slice, slice]:
    """The cells around the head."""
    share = in_cells(pair.head.numpy(), cells_of(pair))[0].numpy()
    return box_of(share > min(0.5, share.max() / 2), ROOM)
