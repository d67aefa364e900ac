"""Register a loaded pair: from two images to the transform between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.geometry.compact import compact
from bundle.geometry.slices import (
    field_from_slices,
    from_slices,
    plane_spacing,
    to_slices,
)
from bundle.geometry.transform import (
    compose,
    displacement_field,
    field_transform,
    onto,
    resample,
)
from bundle.geometry.warp import warp
from bundle.images.color import luma
from bundle.images.display import displayed
from bundle.images.pair import LoadedPair, PicturePair
from bundle.networks import device_of
from bundle.options import Options
from bundle.registration.bspline import Refinement, refine
from bundle.registration.coarse import coarse_of
from bundle.registration.elastic_field import ElasticField
from bundle.registration.initialize import initialize
from bundle.registration.optimised import SHARE, mean_of, optimised_field
from bundle.registration.output_grid import on_output_grid
from bundle.registration.pairs import (
    InitializedPair,
    PictureRegistration,
    Registration,
    VolumeRegistration,
)
from bundle.registration.similarity import mutual_information
from bundle.registration.slicewise import match_picture, slice_fields
from bundle.registration.three_planes import three_plane_field

CLEARLY = 1.1
"""Factor in mutual information by which the network's field must beat its mean with another."""

THICK = 4.0
"""Distance of slices in mm from which on a field in their own plane may be the better one."""


@torch.no_grad()
def register(pair: LoadedPair | InitializedPair, network: Any, options: Options) -> Registration:
    """Register the moving image of a pair onto the fixed one.

    Args:
        pair: as it was read, or after :func:`initialize`, which is done first otherwise.
        network: :class:`bundle.networks.BiMSRec` in evaluation mode, on any device.
        options: how.

    Raises:
        InputError: the images cannot be registered, or the network's field is not finite.
    """
    ready = pair if isinstance(pair, InitializedPair) else initialize(pair, options)
    if isinstance(ready, PicturePair):
        return _register_pictures(ready, network, options)
    return _register_volumes(ready, network, options)


def _register_pictures(pair: PicturePair, network: Any, options: Options) -> PictureRegistration:
    image = torch.cat([luma(picture) / 255 for picture in (pair.fixed, pair.moving)]).clamp(0, 1)
    batch = image[None].to(device_of(network))
    still = torch.zeros_like(batch), None
    ddf, match = still if options.rigid_only else match_picture(batch, network)
    require_finite(ddf)
    ddf = ddf[0].cpu()
    return PictureRegistration(pair, image, ddf, warp(pair.moving[None], ddf[None])[0], match)


def _register_volumes(
    initial: InitializedPair, network: Any, options: Options
) -> VolumeRegistration:
    found, kept = (None, False) if options.rigid_only else _best(initial, network, options)
    fields = [found.field] if found and kept else []
    refinement = None
    if options.refine == "bspline":
        refinement = _refined(initial, compose(np.eye(4), *fields))
        fields += [refinement.field] if refinement.field and refinement.kept else []
    transform = compose(initial.start, *fields)
    shown = on_output_grid(initial, options.resolution)
    pair, grid = shown.pair, shown.pair.fixed.image
    written = field_transform(compact(transform, grid).displacement)  # what ddf.nii.gz holds
    total = displacement_field(written, grid)
    warped = resample(pair.moving.image, grid, field_transform(total))
    spread = onto(found.spread, grid) if found and found.spread else None
    return VolumeRegistration(
        shown, transform, total, warped, _shown(warped, shown),
        found.planes if found and kept else (), spread, refinement,
        found.optimiser if found and kept else 0.0,
    )  # fmt: skip


def _best(initial: InitializedPair, network: Any, options: Options) -> tuple[ElasticField, bool]:
    """The best field that is found, and whether it is better than the start."""
    found = list(_candidates(initial, network, options))
    for one in found:
        require_finite(torch.from_numpy(sitk.GetArrayFromImage(one.field)))
    if len(found) == 1 and not options.guard:
        return found[0], True
    gained = [information(initial, one.field) for one in found]
    best = int(np.argmax(gained))
    kept = not options.guard or gained[best] >= information(initial)
    return found[best], kept


def _candidates(initial: InitializedPair, network: Any, options: Options) -> Iterator[ElasticField]:
    """A field in 3D, unless a plane is asked for; of thick slices also that of their own plane."""
    pair, grid = initial.pair, initial.pair.fixed.image
    spacing = plane_spacing(grid, pair.plane)
    if options.plane == "auto":
        yield _in_space(initial, network)
    if options.plane != "auto" or max(spacing) > THICK:
        on_device = initial.matched.to(device_of(network))
        ddf, widths = slice_fields(on_device, initial.head, spacing, network, options.through_plane)
        field = field_from_slices(ddf.cpu(), grid, pair.plane)
        spread = None if widths is None else from_slices(widths, grid, pair.plane)
        yield ElasticField(field, spread, (pair.plane,))


def _in_space(initial: InitializedPair, network: Any) -> ElasticField:
    """The mean of the network's field and an optimiser's, which knows contrasts it never saw.

    The network's alone where the mean has clearly less mutual information.
    """
    coarse = coarse_of(initial)
    learnt, optimised = three_plane_field(coarse, network), optimised_field(coarse)
    require_finite(torch.from_numpy(sitk.GetArrayFromImage(learnt.field)))
    if optimised is None:
        return learnt
    mean = mean_of(learnt, optimised, SHARE[initial.pair.modality])
    alone, together = (information(initial, one.field) for one in (learnt, mean))
    return learnt if alone > CLEARLY * together else mean


def information(initial: InitializedPair, field: sitk.Image | None = None) -> float:
    """Mutual information of fixed and moving volume in the head, nats.

    Args:
        initial: the pair.
        field: displacements after the start, mm, LPS, pull-back; None: the start alone.
    """
    fixed, start = (part.numpy() for part in initial.matched)
    where = initial.counted[0].numpy() > 0
    if field is None:
        return mutual_information(fixed, start, where)
    pair = initial.pair
    moved = resample(initial.moving, pair.fixed.image, compose(initial.start, field))
    return mutual_information(fixed, _shown(moved, initial).numpy(), where)


def _shown(warped: sitk.Image, initial: InitializedPair) -> torch.Tensor:
    """A warped moving volume as displayed, (H, W, D)."""
    return displayed(to_slices(warped, initial.pair.plane), initial.windows[1])[0]


def _refined(initial: InitializedPair, field: sitk.Transform) -> Refinement:
    """Let a B-spline go on from the field, on the displayed volumes."""
    grid, plane = initial.pair.fixed.image, initial.pair.plane
    fixed, moving = (from_slices(part[None], grid, plane) for part in initial.matched)
    head = sitk.Cast(from_slices(initial.counted.float(), grid, plane) > 0.5, sitk.sitkUInt8)
    return refine(fixed, moving, head, field)


def require_finite(values: torch.Tensor) -> None:
    """Refuse what a damaged checkpoint computes."""
    if not torch.isfinite(values).all():
        raise InputError("the network returns values that are not finite; check the checkpoint")
