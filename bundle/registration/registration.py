"""Register a loaded pair: from two images to the transform between them."""

from __future__ import annotations

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
    on_one_grid,
    plane_spacing,
    to_slices,
)
from bundle.geometry.transform import (
    as_transform,
    compose,
    displacement_field,
    field_transform,
    resample,
)
from bundle.geometry.warp import warp
from bundle.images.color import luma
from bundle.images.display import displayed, percentile_window
from bundle.images.pair import LoadedPair, PicturePair, VolumePair
from bundle.options import Options
from bundle.registration.bspline import Refinement, refine
from bundle.registration.rigid import find_start, overlap
from bundle.registration.slicewise import match_picture, raises_information, slice_fields

LEAST_OVERLAP = 0.01
"""Share of the fixed head that the moving volume has to cover."""

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
        ddf: (2, H, W, D), the network's field in the slices of the plane, voxels, rows before
            columns, pull-back; 0 where it was dropped.
        transform: fixed to moving points, millimetres, LPS: start, field and any B-spline.
        field: the same as displacements on the fixed grid.
        warped: the moving volume on the fixed grid, in its own units, its minimum outside.
        uncertainty: mm on the fixed grid; None if the network does not tell it.
        refinement: what became of the B-spline step, if there was one.
    """

    initial: InitializedPair
    ddf: torch.Tensor
    transform: sitk.Transform
    field: sitk.Image
    warped: sitk.Image
    uncertainty: sitk.Image | None = None
    refinement: Refinement | None = None

    @property
    def pair(self) -> VolumePair:
        """The volumes."""
        return self.initial.pair

    @property
    def refined(self) -> torch.Tensor | None:
        """(H, W, D), the moving slices by all fields, where a B-spline is kept."""
        kept = self.refinement is not None and self.refinement.kept
        return self.refinement.warped if self.refinement is not None and kept else None


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
    pair, image, head = initial.pair, initial.image, initial.head
    grid, moving, plane = pair.fixed.image, pair.moving.image, pair.plane
    spacing = plane_spacing(grid, plane)
    ddf, spread = torch.zeros_like(image), None
    if not options.rigid_only:
        on_device = image.to(device_of(network))
        ddf, spread = slice_fields(on_device, head, spacing, network, options.through_plane)
        require_finite(ddf)
        if options.guard and not raises_information(on_device, ddf, head):
            ddf = torch.zeros_like(ddf)
    ddf, refinement, parts = ddf.cpu(), None, []
    if options.refine == "bspline":
        refinement = refine(image[0], image[1], head[0] > 0, ddf, spacing)
        parts = [refinement.spline] if refinement.kept else []
    fields = [field_from_slices(part, grid, plane) for part in (ddf, *parts)]
    transform = compose(initial.start, *fields)
    total = displacement_field(transform, grid)
    warped = resample(moving, grid, field_transform(total))  # what ddf.nii.gz gives to others
    uncertainty = None if spread is None else from_slices(spread, grid, plane)
    return VolumeRegistration(initial, ddf, transform, total, warped, uncertainty, refinement)


def device_of(network: torch.nn.Module) -> torch.device:
    """Where a network computes."""
    return next((p.device for p in network.parameters()), torch.device("cpu"))


def require_finite(values: torch.Tensor) -> None:
    """Refuse what a damaged checkpoint computes."""
    if not torch.isfinite(values).all():
        raise InputError("the network returns values that are not finite; check the checkpoint")
