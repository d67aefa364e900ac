"""The moving volume beyond its field of view."""

from __future__ import annotations

from dataclasses import replace

import torch

from bundle.geometry.slices import to_slices
from bundle.geometry.transform import as_transform, resample
from bundle.images.display import displayed
from bundle.registration.pairs import InitializedPair


def beyond_field_of_view(initial: InitializedPair) -> InitializedPair:
    """A pair whose moving volume goes on beyond its border, as its outermost voxels are.

    The border of a field of view that cuts the head would else be an edge, stronger than those of
    the anatomy, and an optimiser would seek it in the fixed volume. Background that is stored
    within the volume stays.

    Args:
        initial: the pair after its start.

    Returns:
        the same with another moving image; the pair itself where its moving volume covers the whole
        fixed head.
    """
    if initial.overlap == 1.0:
        return initial
    pair = initial.pair
    start = as_transform(initial.start)
    there = resample(initial.moving, pair.fixed.image, start, beyond=True)
    image = torch.empty_like(initial.matched)  # in its order in memory
    image[0] = initial.matched[0]
    image[1] = displayed(to_slices(there, pair.plane), initial.windows[1])[0]
    if initial.masked is None:
        return replace(initial, image=image)
    return replace(initial, masked=replace(initial.masked, image=image))
