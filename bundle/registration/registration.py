"""Register a loaded pair: from two images to the transform between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.domain import CT_WINDOW, Range
from bundle.errors import InputError, Remark
from bundle.geometry.fields import picture_grid, to_itk
from bundle.geometry.head import find_head
from bundle.geometry.slices import (
    field_from_slices,
    from_slices,
    in_plane_of,
    on_one_grid,
    plane_spacing,
    to_slices,
)
from bundle.geometry.transform import (
    as_transform,
    compose,
    displacement_field,
    field_transform,
    onto,
    resample,
)
from bundle.geometry.warp import warp
from bundle.images.color import luma
from bundle.images.display import displayed, percentile_window
from bundle.images.pair import LoadedPair, PicturePair, VolumePair
from bundle.networks import device_of
from bundle.options import Options
from bundle.registration.bspline import Refinement, refine
from bundle.registration.network_field import NetworkField
from bundle.registration.rigid import find_start, overlap
from bundle.registration.similarity import mutual_information
from bundle.registration.slicewise import match_picture, slice_fields
from bundle.registration.three_planes import three_plane_field

LEAST_OVERLAP = 0.01
"""Share of the fixed head that the moving volume has to cover."""

THICK = 4.0
"""Distance of slices in mm from which on a field in their own plane may be the better one."""

UNUSED_WINDOW = Remark(
    "window_unused",
    "moving volume: ct_window is not used, since there is no air of -1000 HU in it: it is shown "
    "by percentiles",
)


@dataclass(frozen=True)
class PictureRegistration:
    """A registered pair of pictures.

    Attributes:
        pair: what was registered.
        image: (2, H, W) in [0, 1], fixed and moving luminance: what the network saw.
        ddf: (2, H, W), voxels, rows before columns, pull-back.
        warped: (C, H, W), 0 to 255: the moving picture on the fixed one's pixels, 0 outside.
        match: what the reconstruction takes from the registration, see
            :class:`bundle.networks.Match`; None where the field serves all scales.
    """

    pair: PicturePair
    image: torch.Tensor
    ddf: torch.Tensor
    warped: torch.Tensor
    match: Any = None

    @property
    def field(self) -> sitk.Image:
        """The ddf as an ITK displacement field: pixels, x = column, y = row."""
        return to_itk(self.ddf, picture_grid(*self.ddf.shape[1:]))

    @property
    def transform(self) -> sitk.Transform:
        """From fixed to moving points: pixels, x = column, y = row."""
        return field_transform(self.field)


@dataclass(frozen=True)
class InitializedPair:
    """A pair of volumes after its linear start.

    Attributes:
        pair: the volumes.
        start: (4, 4), millimetres, LPS, fixed to moving points.
        overlap: share of the fixed head that the moving volume covers.
        head: uint8 (1, H, W, D), the fixed volume's head in the slices of the plane.
        image: float32 (2, H, W, D) in [0, 1], the slices as displayed, moving by the start.
        windows: of fixed and moving, the values displayed as 0 and 1.
        remarks: what was noticed so far.
    """

    pair: VolumePair
    start: np.ndarray
    overlap: float
    head: torch.Tensor
    image: torch.Tensor
    windows: tuple[Range, Range]
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class VolumeRegistration:
    """A registered pair of volumes.

    Attributes:
        initial: the pair and its start.
        transform: fixed to moving points, millimetres, LPS: start, field and any B-spline.
        field: the same as displacements on the fixed grid.
        warped: the moving volume on the fixed grid, in its own units, its minimum outside.
        shown: float32 (H, W, D) in [0, 1], ``warped`` as displayed, in the slices of the plane.
        planes: from which the network's field is made; () where the start is the result.
        uncertainty: how much the estimates of the network's fields and of the planes differ, mm, on
            the fixed grid; None without registration, or if one plane's network does not tell.
        refinement: what became of the B-spline step, if there was one.
    """

    initial: InitializedPair
    transform: sitk.Transform
    field: sitk.Image
    warped: sitk.Image
    shown: torch.Tensor
    planes: tuple[str, ...] = ()
    uncertainty: sitk.Image | None = None
    refinement: Refinement | None = None

    @property
    def pair(self) -> VolumePair:
        """The volumes."""
        return self.initial.pair


Registration = PictureRegistration | VolumeRegistration


def initialize(pair: LoadedPair, options: Options) -> PicturePair | InitializedPair:
    """Bring two volumes together linearly and display them; pictures stay as they are.

    Args:
        pair: as it was read.
        options: ``init``, ``ct_window`` and ``percentiles`` count.

    Raises:
        InputError: the volumes share too little space.
    """
    if isinstance(pair, PicturePair):
        return pair
    fixed, moving, name = pair.fixed.image, pair.moving.image, pair.moving.name
    try:
        start = find_start(fixed, moving, options.init)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    head = find_head(fixed)
    shared = overlap(head, moving, start)
    if shared < LEAST_OVERLAP:
        raise InputError(
            f"{name}: covers {100 * shared:.1f} % of the fixed head; correct a header, "
            "or put the middles onto each other with init center"
        )
    if not (on_one_grid(fixed, moving) and (start == np.eye(4)).all()):
        moving = resample(moving, fixed, as_transform(start))
        values = sitk.GetArrayViewFromImage(moving)
        if values.min() == values.max():
            raise InputError(
                f"{name}: has the same value everywhere in the fixed volume; check that it is "
                "the right image"
            )
    slices = to_slices(head, pair.plane).to(torch.uint8)
    return _displayed(pair, start, shared, slices, moving, options)


def _displayed(
    pair: VolumePair,
    start: np.ndarray,
    shared: float,
    head: torch.Tensor,
    moving: sitk.Image,
    options: Options,
) -> InitializedPair:
    """The slices as the network sees them."""
    windows, channels = [], []
    for volume, hounsfield in zip((pair.fixed.image, moving), pair.hounsfield, strict=True):
        values = to_slices(volume, pair.plane)
        windowed = hounsfield and pair.modality in (None, "CT")
        window = (
            options.ct_window if windowed else percentile_window(values, head, options.percentiles)
        )
        windows.append(window)
        channels.append(displayed(values, window))
    asked = options.ct_window != CT_WINDOW and pair.modality == "CT"
    unused = (UNUSED_WINDOW,) if asked and not any(pair.hounsfield) else ()
    return InitializedPair(
        pair, start, shared, head, torch.cat(channels), (windows[0], windows[1]),
        (*pair.remarks, *unused),
    )  # fmt: skip


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
    pair, grid = initial.pair, initial.pair.fixed.image
    found, kept = (None, False) if options.rigid_only else _best(initial, network, options)
    fields = [found.field] if found and kept else []
    refinement = None
    if options.refine == "bspline":
        refinement = _refined(initial, compose(np.eye(4), *fields))
        fields += [refinement.field] if refinement.field and refinement.kept else []
    transform = compose(initial.start, *fields)
    total = displacement_field(transform, grid)
    warped = resample(pair.moving.image, grid, field_transform(total))  # as ddf.nii.gz gives it
    spread = onto(found.spread, grid) if found and found.spread else None
    return VolumeRegistration(
        initial, transform, total, warped, _shown(warped, initial),
        found.planes if found and kept else (), spread, refinement,
    )  # fmt: skip


def _best(initial: InitializedPair, network: Any, options: Options) -> tuple[NetworkField, bool]:
    """The network's best field, and whether it is better than the start."""
    found = list(_candidates(initial, network, options))
    for one in found:
        require_finite(torch.from_numpy(sitk.GetArrayFromImage(one.field)))
    if len(found) == 1 and not options.guard:
        return found[0], True
    gained = [information(initial, one.field) for one in found]
    best = int(np.argmax(gained))
    kept = not options.guard or gained[best] >= information(initial)
    return found[best], kept


def _candidates(initial: InitializedPair, network: Any, options: Options) -> Iterator[NetworkField]:
    """Fields of three planes, unless one is asked for; of thick slices also of their own plane."""
    pair, grid = initial.pair, initial.pair.fixed.image
    spacing = plane_spacing(grid, pair.plane)
    if options.plane == "auto":
        image, head = (in_plane_of(p, pair.plane, "axial") for p in (initial.image, initial.head))
        yield three_plane_field(image, head, grid, network)
    if options.plane != "auto" or max(spacing) > THICK:
        on_device = initial.image.to(device_of(network))
        ddf, widths = slice_fields(on_device, initial.head, spacing, network, options.through_plane)
        field = field_from_slices(ddf.cpu(), grid, pair.plane)
        spread = None if widths is None else from_slices(widths, grid, pair.plane)
        yield NetworkField(field, spread, (pair.plane,))


def information(initial: InitializedPair, field: sitk.Image | None = None) -> float:
    """Mutual information of fixed and moving volume in the head, nats.

    Args:
        initial: the pair.
        field: displacements after the start, mm, LPS, pull-back; None: the start alone.
    """
    fixed, start = (part.numpy() for part in initial.image)
    where = initial.head[0].numpy() > 0
    if field is None:
        return mutual_information(fixed, start, where)
    pair = initial.pair
    moved = resample(pair.moving.image, pair.fixed.image, compose(initial.start, field))
    return mutual_information(fixed, _shown(moved, initial).numpy(), where)


def _shown(warped: sitk.Image, initial: InitializedPair) -> torch.Tensor:
    """A warped moving volume as displayed, (H, W, D)."""
    return displayed(to_slices(warped, initial.pair.plane), initial.windows[1])[0]


def _refined(initial: InitializedPair, field: sitk.Transform) -> Refinement:
    """Let a B-spline go on from the field, on the displayed volumes."""
    grid, plane = initial.pair.fixed.image, initial.pair.plane
    fixed, moving = (from_slices(part[None], grid, plane) for part in initial.image)
    head = sitk.Cast(from_slices(initial.head.float(), grid, plane) > 0.5, sitk.sitkUInt8)
    return refine(fixed, moving, head, field)


def require_finite(values: torch.Tensor) -> None:
    """Refuse what a damaged checkpoint computes."""
    if not torch.isfinite(values).all():
        raise InputError("the network returns values that are not finite; check the checkpoint")
