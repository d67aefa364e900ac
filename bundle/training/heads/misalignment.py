"""Known misalignments of volumes that are aligned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter


@dataclass(frozen=True)
class Misalignment:
    """How far volumes are moved.

    Attributes:
        rotation: largest rotation about x, y and z, degrees.
        translation: largest translation along x, y and z, mm.
        elastic: standard deviation of the elastic displacement along x, y and z, mm.
        smoothness: sigma of the Gaussian that smooths it, mm.
    """

    rotation: tuple[float, float, float]
    translation: tuple[float, float, float]
    elastic: tuple[float, float, float]
    smoothness: float


MISALIGNMENTS = {
    "none": Misalignment((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 18.0),
    "in_plane": Misalignment((3.0, 3.0, 8.0), (10.0, 10.0, 4.0), (4.0, 4.0, 1.0), 20.0),
    "rigid": Misalignment((8.0, 8.0, 8.0), (12.0, 12.0, 12.0), (0.0, 0.0, 0.0), 18.0),
    "spatial_small": Misalignment((8.0, 8.0, 8.0), (12.0, 12.0, 12.0), (2.0, 2.0, 2.0), 18.0),
    "spatial": Misalignment((8.0, 8.0, 8.0), (12.0, 12.0, 12.0), (3.0, 3.0, 3.0), 18.0),
    "spatial_large": Misalignment((8.0, 8.0, 8.0), (12.0, 12.0, 12.0), (4.0, 4.0, 4.0), 18.0),
}
"""None, mostly in axial slices, and four that are alike in all directions.

The four differ in the size of their elastic field alone: of one seed it has one shape, and the
rigid motion is the same.
"""

STEP = 4.0
"""Voxel size of the elastic field, mm: linear interpolation between them is part of the truth."""

ROOM = 40.0
"""Millimetres by which the elastic field goes on around the volume."""


def misalignment(
    aligned: sitk.Image, seed: int, kind: str = "in_plane"
) -> tuple[sitk.Transform, sitk.Transform]:
    """A seeded rigid motion about a volume's middle and a smooth elastic field.

    Args:
        aligned: the volume.
        seed: of the transform.
        kind: one of :data:`MISALIGNMENTS`.

    Returns:
        the transform from fixed to moving points, mm, LPS (pull-back), exact; and its inverse,
        within 1e-4 mm at the points of the elastic field and 0.03 mm on average between them.
    """
    random, most = np.random.default_rng(seed), MISALIGNMENTS[kind]
    field = elastic_field(aligned, random, most)
    inverse = sitk.InvertDisplacementField(
        field, maximumNumberOfIterations=50, meanErrorToleranceThreshold=1e-4
    )
    middle = aligned.TransformContinuousIndexToPhysicalPoint(
        [(n - 1) / 2 for n in aligned.GetSize()]
    )
    angles = np.radians(most.rotation) * random.uniform(-1, 1, 3)
    shift = np.array(most.translation) * random.uniform(-1, 1, 3)
    rigid = sitk.Euler3DTransform(middle, *angles.tolist(), shift.tolist())
    forward = sitk.CompositeTransform([rigid, sitk.DisplacementFieldTransform(field)])
    backward = sitk.CompositeTransform(
        [sitk.DisplacementFieldTransform(sitk.Image(inverse)), rigid.GetInverse()]
    )
    return forward, backward


def moved(aligned: sitk.Image, backward: sitk.Transform) -> sitk.Image:
    """A volume misaligned, on its own grid; its lowest value where it shows nothing.

    Args:
        aligned: the volume.
        backward: the second result of :func:`misalignment`.
    """
    lowest = float(sitk.GetArrayViewFromImage(aligned).min())
    return sitk.Resample(aligned, aligned, backward, sitk.sitkLinear, lowest)


def elastic_field(
    volume: sitk.Image, random: np.random.Generator, most: Misalignment
) -> sitk.Image:
    """A smooth random displacement field in and around a volume, mm."""
    extent = np.array(volume.GetSize()) * volume.GetSpacing() + 2 * ROOM
    size = np.ceil(extent / STEP).astype(int).tolist()
    direction = np.reshape(volume.GetDirection(), (3, 3))
    shape = size[::-1]
    parts = [
        gaussian_filter(random.standard_normal(shape), most.smoothness / STEP) for _ in range(3)
    ]
    vectors = np.stack([s * p / p.std() for s, p in zip(most.elastic, parts, strict=True)], axis=-1)
    field = sitk.GetImageFromArray(vectors, isVector=True)
    field.SetSpacing([STEP] * 3)
    field.SetDirection(volume.GetDirection())
    field.SetOrigin(np.array(volume.GetOrigin()) - direction @ np.full(3, ROOM))
    return field


def with_slices(volume: sitk.Image, count: int) -> sitk.Image:
    """The same extent in another number of slices."""
    size, spacing = list(volume.GetSize()), list(volume.GetSpacing())
    spacing[2] *= (size[2] - 1) / (count - 1)
    size[2] = count
    grid = (size, sitk.Transform(), sitk.sitkLinear, volume.GetOrigin(), spacing)
    return sitk.Resample(volume, *grid, volume.GetDirection())
