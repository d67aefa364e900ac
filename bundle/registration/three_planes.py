"""A displacement field in three dimensions, from the network's fields in three planes.

The network registers pictures. A component of the displacement is seen in two of the three planes;
both estimates count by how little the network's ten fields differ there. The slices of a plane lie
7 mm apart: with 6 mm the mean error is the same (measured on whole heads).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from bundle.geometry.frame import head_frame
from bundle.geometry.slices import in_plane_of
from bundle.networks import device_of
from bundle.registration.coarse import CoarsePair, blurred, scalar, vectors
from bundle.registration.elastic_field import ElasticField
from bundle.registration.slicewise import framed_fields
from bundle.registration.unfolding import without_folds

STEP = 7.0
"""Millimetres between the slices of a plane."""

SLICES_AT_ONCE = 16
"""How many slices of a plane are registered at a time: with 4 the network takes a fifth longer."""

SMOOTHED = 5.0
"""Width in mm of the Gaussian over the field: neighbouring slices were registered separately."""

PLAIN = 1.0
"""mm that are added to the spread, so that no estimate counts alone."""

COMPONENTS = {
    "axial": ((0, "y", 1.0), (1, "x", 1.0)),
    "coronal": ((0, "z", -1.0), (1, "x", 1.0)),
    "sagittal": ((0, "z", -1.0), (1, "y", 1.0)),
}
"""Per plane: channel of its field (rows, columns), body axis in LPS, and sign."""


def three_plane_field(pair: CoarsePair, network: Any) -> ElasticField:
    """Register the axial, coronal and sagittal slices of a volume.

    Args:
        pair: the volumes.
        network: see :class:`bundle.networks.BiMSRec`; its method ``register_with_spread`` is
            used, or ``register``, whose estimates then all count alike.

    Returns:
        the field on the pair's grid; its Jacobian determinant is
        :data:`bundle.registration.unfolding.LEAST` or more everywhere.
    """
    displacement, variance = _combined(pair.image, pair.head, pair.spacing, network)
    smooth = blurred(displacement, SMOOTHED, pair.spacing)
    uncertain = blurred(variance[None], SMOOTHED, pair.spacing)[0].sqrt()
    field = without_folds(vectors(smooth, pair.grid))
    return ElasticField(field, scalar(uncertain.numpy(), pair.grid), tuple(COMPONENTS))


def _combined(
    image: torch.Tensor, head: torch.Tensor, spacing: Sequence[float], network: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Displacement (3: x, y, z; H, W, D) in mm along the axes; variance (H, W, D) in mm^2."""
    shape = image.shape[1:]
    weight, total, squares, own = (torch.zeros(3, *shape) + offset for offset in (1e-9, 0, 0, 0))
    for plane, parts in COMPONENTS.items():
        found = _plane_fields(image, head, spacing, network, plane)
        for channel, axis, sign in parts:
            k = "xyz".index(axis)
            estimate = sign * in_plane_of(found[channel][None], plane, "axial")[0]
            variance = in_plane_of(found[2 + channel][None], plane, "axial")[0] ** 2
            share = 1 / (variance + PLAIN**2)
            weight[k] += share
            total[k] += share * estimate
            squares[k] += share * estimate**2
            own[k] += share * variance
    mean = total / weight
    variance = (squares / weight - mean**2).clamp(min=0) + own / weight
    return mean, variance.sum(dim=0)


def _plane_fields(
    image: torch.Tensor, head: torch.Tensor, spacing: Sequence[float], network: Any, plane: str
) -> torch.Tensor:
    """Fields and spreads of a plane's slices, (4, h, w, d) mm: row, column, and the same again."""
    slices = in_plane_of(image, "axial", plane)
    inside = in_plane_of(head, "axial", plane)[0]
    along = dict(zip("yxz", spacing, strict=True))
    rows, columns, normal = (along[axis] for axis in {"axial": "yxz", "coronal": "zxy",
                                                      "sagittal": "zyx"}[plane])  # fmt: skip
    shown = inside.flatten(0, 1).any(dim=0).nonzero().flatten()
    first, last = int(shown[0]), int(shown[-1])
    count = max(2, round((last - first) * normal / STEP) + 1)
    chosen = torch.linspace(first, last, count).round().long().unique()
    box, device = head_frame(inside, (rows, columns)), device_of(network)
    parts = [
        framed_fields(slices[..., places].permute(3, 0, 1, 2).to(device), network, box)
        for places in chosen.split(SLICES_AT_ONCE)
    ]
    found = torch.cat(parts).cpu().permute(1, 2, 3, 0)
    if len(found) == 2:
        found = torch.cat([found, torch.zeros_like(found)])
    steps = torch.tensor([rows, columns, rows, columns]).view(4, 1, 1, 1)
    return _between(found * steps, chosen, slices.shape[-1])


def _between(fields: torch.Tensor, places: torch.Tensor, count: int) -> torch.Tensor:
    """Fields (C, h, w, n) of some slices interpolated to all; beyond the outermost they go on."""
    if len(places) == 1:
        return fields.expand(*fields.shape[:3], count)
    wanted = torch.arange(count).clamp(int(places[0]), int(places[-1]))
    above = torch.searchsorted(places, wanted, right=True).clamp(1, len(places) - 1)
    share = (wanted - places[above - 1]) / (places[above] - places[above - 1])
    return torch.lerp(fields[..., above - 1], fields[..., above], share)
