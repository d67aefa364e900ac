"""Register a loaded pair: from two images to the transform between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.geometry.compact import compact
from bundle.geometry.slices import (
    field_from_slices,
    from_slices,
    oriented_grid,
    plane_spacing,
    to_slices,
)
from bundle.geometry.transform import compose, field_transform, onto, resample
from bundle.geometry.warp import warp
from bundle.images.color import luma
from bundle.images.display import displayed
from bundle.images.pair import LoadedPair
from bundle.images.picture_pair import PicturePair
from bundle.networks import device_of
from bundle.options import Options
from bundle.progress import SILENT, Progress, Stage
from bundle.registration.bspline import Refinement, refine
from bundle.registration.coarse import CoarsePair, coarse_of
from bundle.registration.combined import combined
from bundle.registration.elastic_field import ElasticField
from bundle.registration.field_of_view import beyond_field_of_view, uncertain_beyond
from bundle.registration.finer import finer_field
from bundle.registration.initialize import initialize
from bundle.registration.optimised import optimised_field
from bundle.registration.output_grid import on_output_grid
from bundle.registration.pairs import (
    THICK,
    InitializedPair,
    PictureRegistration,
    Registration,
    VolumeRegistration,
)
from bundle.registration.regional_guard import guarded, reduced
from bundle.registration.similarity import mutual_information
from bundle.registration.slicewise import match_picture, slice_fields
from bundle.registration.three_planes import three_plane_field

CLEARLY = 1.2
"""Factor in mutual information by which the network's field must beat a sum that is kept."""

GAIN = 1.02
"""Factor in mutual information by which a field must beat the start, and the sum before it goes on
in finer voxels; aligned SPECT has 1.01."""

SAMPLED = 2.0
"""Largest distance in mm along an axis between voxels in which fields are compared; of coarser
volumes all count."""


@torch.no_grad()
def register(
    pair: LoadedPair | InitializedPair, network: Any, options: Options, progress: Progress = SILENT
) -> Registration:
    """Register the moving image of a pair onto the fixed one.

    Args:
        pair: as it was read, or after :func:`initialize`, which is done first otherwise.
        network: :class:`bundle.networks.BiMSRec` in evaluation mode, on any device.
        options: how.
        progress: is told the stages.

    Returns:
        the pair with its transform from fixed to moving points (volumes: mm, LPS; pictures: pixels)
        and the warped moving image, of volumes on the grid of the results.

    Raises:
        InputError: the images cannot be registered, or the network's field is not finite.
    """
    ready = pair if isinstance(pair, InitializedPair) else initialize(pair, options, progress)
    if isinstance(ready, PicturePair):
        progress(Stage.NETWORK)
        return _register_pictures(ready, network, options)
    return _register_volumes(ready, network, options, progress)


def _register_pictures(pair: PicturePair, network: Any, options: Options) -> PictureRegistration:
    image = torch.cat([luma(picture) / 255 for picture in (pair.fixed, pair.moving)]).clamp(0, 1)
    batch = image[None].to(device_of(network))
    still = torch.zeros_like(batch), None
    ddf, match = still if options.rigid_only else match_picture(batch, network)
    require_finite(ddf)
    ddf = ddf[0].cpu()
    return PictureRegistration(pair, image, ddf, warp(pair.moving[None], ddf[None])[0], match)


def _register_volumes(
    initial: InitializedPair, network: Any, options: Options, progress: Progress
) -> VolumeRegistration:
    found = None if options.rigid_only else _best(initial, network, options, progress)
    kept = found.elastic if found and found.kept else None
    fields = [kept.field] if kept else []
    refinement = None
    if options.refine == "bspline":
        progress(Stage.REFINE)
        refinement = _refined(initial, compose(np.eye(4), *fields))
        fields += [refinement.field] if refinement.field and refinement.kept else []
    progress(Stage.RESAMPLE)
    transform = compose(initial.start, *fields)
    output = on_output_grid(initial, options.resolution)
    pair, grid = output.pair, output.pair.fixed.image
    mapping = compact(transform, grid)
    # what ddf.nii.gz holds is what moves the volume
    warped = resample(pair.moving.image, grid, field_transform(mapping.displacement))
    return VolumeRegistration(
        output,
        transform,
        mapping,
        warped,
        shown(warped, output),
        kept,
        found.elastic.spread if found else None,
        refinement,
    )


@dataclass(frozen=True)
class _Judged:
    """A field, the mutual information that it brings, and whether it is to be used."""

    elastic: ElasticField
    information: float
    kept: bool = True


def _best(initial: InitializedPair, network: Any, options: Options, progress: Progress) -> _Judged:
    """The best field that is found, and whether it is clearly better than the start.

    A field that is used counts only in regions where it does not lower the mutual information.
    """
    coarse = coarse_of(initial)
    needed = GAIN * information(initial) if options.guard else 0.0
    found = list(_candidates(initial, coarse, network, options, progress, needed))
    progress(Stage.CHOICE)
    best = max(found, key=lambda one: one.information)
    best = replace(best, elastic=uncertain_beyond(initial, best.elastic))
    if not options.guard:
        return best
    if best.information >= needed:
        counted = coarse_of(initial, initial.counted) if initial.masked else coarse
        elastic = guarded(counted, best.elastic)
        best = best if elastic is best.elastic else _judged(initial, elastic)
    if best.information >= needed:
        return best
    return replace(best, elastic=reduced(best.elastic, 0.0), kept=False)


def _candidates(
    initial: InitializedPair,
    coarse: CoarsePair,
    network: Any,
    options: Options,
    progress: Progress,
    needed: float,
) -> Iterator[_Judged]:
    """A field in 3D, unless a plane is asked for; of thick slices also that of their own plane.

    The mutual information that the guard asks for is ``needed``, in nats; 0 without it.
    """
    pair, grid = initial.pair, initial.pair.fixed.image
    spacing = plane_spacing(grid, pair.plane)
    spread = None
    if options.plane == "auto":
        in_space = _in_space(initial, coarse, network, progress, needed)
        spread = in_space.elastic.spread
        yield in_space
    if options.plane != "auto" or max(spacing) > THICK:
        progress(Stage.NETWORK)
        on_device = initial.matched.to(device_of(network))
        ddf, widths = slice_fields(on_device, initial.head, spacing, network, options.through_plane)
        field = field_from_slices(ddf.cpu(), grid, pair.plane)
        if spread is not None:  # that of a plane knows nothing of displacements across it
            spread = onto(spread, field)
        elif widths is not None:
            spread = from_slices(widths, grid, pair.plane)
        yield _judged(initial, ElasticField(field, spread, (pair.plane,)))


def _in_space(
    initial: InitializedPair, coarse: CoarsePair, network: Any, progress: Progress, needed: float
) -> _Judged:
    """One field of the network's and of an optimiser's, which knows contrasts it never saw.

    From there it goes on in finer voxels, if it brings the mutual information that is needed. The
    network's alone where that has clearly more, or what is needed and the sum has not.
    """
    progress(Stage.NETWORK)
    network_field = three_plane_field(coarse, network)
    alone = _judged(initial, network_field)
    progress(Stage.OPTIMISER)
    modality = initial.pair.modality
    extended = beyond_field_of_view(initial)
    extended_coarse = coarse if extended is initial else coarse_of(extended)
    optimised = optimised_field(extended_coarse, modality)
    if optimised is None:
        return alone
    both = _judged(initial, combined(coarse, network_field, optimised, modality, initial.thick))
    if both.information < needed:
        return alone if alone.information >= needed else both
    if alone.information > CLEARLY * both.information:
        return alone
    return _judged(initial, finer_field(extended, extended_coarse, both.elastic))


def _judged(initial: InitializedPair, elastic: ElasticField) -> _Judged:
    require_finite(torch.from_numpy(sitk.GetArrayFromImage(elastic.field)))
    return _Judged(elastic, information(initial, elastic.field))


def information(initial: InitializedPair, field: sitk.Image | None = None) -> float:
    """Mutual information of fixed and moving volume in the head, nats.

    Along each axis every n-th voxel counts, n = ``SAMPLED`` / spacing rounded down, at least 1:
    the same ones for all fields, and half a million tell the histogram of a head as well as all do.

    Args:
        initial: the pair.
        field: displacements after the start, mm, LPS, pull-back; None: the start alone.
    """
    pair = initial.pair
    grid = oriented_grid(pair.fixed.image, pair.plane)
    columns, rows, slices = (max(1, int(SAMPLED / step + 0.01)) for step in grid.GetSpacing())
    few = (slice(None, None, rows), slice(None, None, columns), slice(None, None, slices))
    fixed, moved, head = (part[few] for part in (*initial.matched, initial.counted[0]))
    if field is not None:
        sampled = grid[::columns, ::rows, ::slices]
        moved = shown(resample(initial.moving, sampled, compose(initial.start, field)), initial)
    return mutual_information(fixed.numpy(), moved.numpy(), head.numpy() > 0)


def shown(warped: sitk.Image, initial: InitializedPair) -> torch.Tensor:
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
