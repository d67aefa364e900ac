"""A pair on its way: after its linear start, and registered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.domain import Range
from bundle.errors import Remark
from bundle.geometry.compact import CompactTransform
from bundle.geometry.fields import picture_grid, to_itk
from bundle.geometry.transform import displacement_field, field_transform, onto
from bundle.images.pair import VolumePair
from bundle.images.picture_pair import PicturePair
from bundle.registration.bspline import Refinement
from bundle.registration.elastic_field import ElasticField
from bundle.registration.masked import Masked, counted

THICK = 4.0
"""Slices further apart than this, in mm, are thick: less is known of what lies between them."""


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
        masked: the volumes without what masks leave out; None where there are none.
    """

    pair: VolumePair
    start: np.ndarray
    overlap: float
    head: torch.Tensor
    image: torch.Tensor
    windows: tuple[Range, Range]
    remarks: tuple[Remark, ...] = ()
    masked: Masked | None = None

    @property
    def matched(self) -> torch.Tensor:
        """(2, H, W, D), what is registered: ``image``, but where masks leave something out."""
        return self.masked.image if self.masked else self.image

    @property
    def moving(self) -> sitk.Image:
        """The moving volume of ``matched``, on its own grid."""
        return self.masked.moving if self.masked else self.pair.moving.image

    @property
    def counted(self) -> torch.Tensor:
        """uint8 (1, H, W, D), where voxels count: the head without what masks leave out."""
        return self.masked.head if self.masked else self.head

    @property
    def thick(self) -> bool:
        """Whether voxels of either volume are longer than ``THICK`` along an axis, any of them."""
        both = (self.pair.fixed.image, self.moving)
        return max(step for one in both for step in one.GetSpacing()) > THICK


@dataclass(frozen=True)
class VolumeRegistration:
    """A registered pair of volumes.

    Attributes:
        initial: the pair and its start.
        transform: fixed to moving points, millimetres, LPS: start, field and any B-spline.
        mapping: the same on a grid of about 2 mm, as it is written.
        warped: the moving volume on the fixed grid, in its own units, its minimum outside.
        shown: float32 (H, W, D) in [0, 1], ``warped`` as displayed, in the slices of the plane.
        elastic: the field that is part of the transform; None where the start is the result.
        spread: uncertainty of the displacement in mm on the grid of the field, also of one that
            was dropped; None without registration, or where a single plane's network gives none.
        refinement: what became of the B-spline step, if there was one.
    """

    initial: InitializedPair
    transform: sitk.Transform
    mapping: CompactTransform
    warped: sitk.Image
    shown: torch.Tensor
    elastic: ElasticField | None = None
    spread: sitk.Image | None = None
    refinement: Refinement | None = None

    @property
    def pair(self) -> VolumePair:
        """The volumes."""
        return self.initial.pair

    @property
    def field(self) -> sitk.Image:
        """The mapping as displacements on the fixed grid, float32, millimetres, LPS, pull-back."""
        written = field_transform(self.mapping.displacement)
        return displacement_field(written, self.pair.fixed.image)

    @property
    def uncertainty(self) -> sitk.Image | None:
        """The spread on the fixed grid."""
        return None if self.spread is None else onto(self.spread, self.pair.fixed.image)

    @property
    def counted(self) -> torch.Tensor:
        """uint8 (1, H, W, D), where measures count: the head without what masks leave out."""
        return counted(self.initial.counted, self.pair, self.transform)


Registration = PictureRegistration | VolumeRegistration
