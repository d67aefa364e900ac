"""The moving volume beyond its field of view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk
import torch

from bundle.geometry.grid import image_on
from bundle.geometry.slices import to_slices
from bundle.geometry.transform import as_transform, onto, resample
from bundle.images.display import displayed
from bundle.registration.elastic_field import ElasticField
from bundle.registration.pairs import InitializedPair


def uncertain_beyond(initial: InitializedPair, elastic: ElasticField) -> ElasticField:
    """A field whose spread counts all of it where the moving volume shows nothing.

    There it is only continued from what both show, and no image can tell whether it is right.

    Args:
        initial: the pair after its start.
        elastic: displacements after the start, mm, LPS, pull-back, on any grid.

    Returns:
        the same field; its spread (mm), if there is one, with the field's length beyond the border.
    """
    if initial.overlap == 1.0 or elastic.spread is None:
        return elastic
    everywhere = image_on(initial.moving, np.ones(initial.moving.GetSize()[::-1], np.uint8))
    start = as_transform(initial.start)
    there = resample(everywhere, elastic.field, start, sitk.sitkNearestNeighbor)
    length = np.linalg.norm(sitk.GetArrayFromImage(elastic.field), axis=-1)
    length *= sitk.GetArrayFromImage(there) == 0
    spread = np.hypot(sitk.GetArrayFromImage(onto(elastic.spread, elastic.field)), length)
    return replace(elastic, spread=image_on(elastic.field, spread.astype(np.float32)))


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
