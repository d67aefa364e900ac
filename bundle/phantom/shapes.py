"""Shapes and seeded smooth noise from which the head phantom is built, all in millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Axes = Sequence[np.ndarray]
Point = tuple[float, float, float]

_EXTENT = 135.0  # mm; noise is defined on [-_EXTENT, _EXTENT] along each axis


@dataclass(frozen=True)
class Ellipsoid:
    """An axis-aligned ellipsoid.

    Args:
        centre: x, y, z in mm.
        radii: half axes in mm.
    """

    centre: Point
    radii: Point

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Return the depth in mm below the surface (first order), negative outside.

        Args:
            points: (3, ...) coordinates in mm.
        """
        scale = 1 / np.asarray(self.radii, dtype=np.float32)
        square = slope = np.float32(1e-6)
        for coordinate, middle, factor in zip(points, self.centre, scale, strict=True):
            part = (coordinate - np.float32(middle)) * factor
            square = square + part * part
            slope = slope + (part * factor) ** 2
        norm = np.sqrt(square)
        return norm * (1 - norm) / np.sqrt(slope)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and the upper corner of the bounding box, mm."""
        return np.subtract(self.centre, self.radii), np.add(self.centre, self.radii)


@dataclass(frozen=True)
class Capsule:
    """A round rod whose radius changes evenly from one end to the other.

    Args:
        start: x, y, z of one end in mm.
        end: x, y, z of the other end in mm.
        start_radius: radius at ``start``, mm.
        end_radius: radius at ``end``, mm.
    """

    start: Point
    end: Point
    start_radius: float
    end_radius: float

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Return the depth in mm below the surface, negative outside.

        Args:
            points: (3, ...) coordinates in mm.
        """
        along = np.subtract(self.end, self.start).astype(np.float32)
        offsets = [c - np.float32(s) for c, s in zip(points, self.start, strict=True)]
        share = sum(a * o for a, o in zip(along, offsets, strict=True)) / np.float32(along @ along)
        share = np.clip(share, 0, 1)
        square = sum((o - share * a) ** 2 for a, o in zip(along, offsets, strict=True))
        radius = self.start_radius + share * np.float32(self.end_radius - self.start_radius)
        return radius - np.sqrt(square)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and the upper corner of the bounding box, mm."""
        radius = max(self.start_radius, self.end_radius)
        ends = np.array([self.start, self.end])
        return ends.min(axis=0) - radius, ends.max(axis=0) + radius


Shape = Ellipsoid | Capsule


def smooth_union(first: np.ndarray, second: np.ndarray, blend: float) -> np.ndarray:
    """Join two depth fields; the seam is rounded over about ``blend`` mm.

    Args:
        first: depth in mm, positive inside.
        second: depth in mm, positive inside, of a shape that broadcasts with ``first``.
        blend: width of the rounding, mm.
    """
    overlap = np.maximum(blend - np.abs(first - second), 0) / np.float32(blend)
    return np.maximum(first, second) + overlap * overlap * np.float32(blend / 4)


class SmoothNoise:
    """A seeded random field: a cubic B-spline over a lattice of normal numbers.

    It is a function of the position in mm, so it has the same values on every grid, and it has
    zero mean and unit standard deviation. It is evaluated on axis-aligned grids only, where the
    tensor product makes it cheap.

    Args:
        rng: the source of the lattice.
        spacing: lattice spacing in mm, one number or one per axis; features are about three
            times as large.
        band: widths (in lattice steps) of the two Gaussians whose difference filters the
            lattice to a narrow band, which makes features of even size; ``None`` for none.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        spacing: float | Point,
        band: tuple[float, float] | None = None,
    ) -> None:
        self._spacing = np.broadcast_to(np.asarray(spacing, dtype=np.float64), (3,))
        shape = [int(np.ceil(2 * _EXTENT / s)) + 4 for s in self._spacing]
        lattice = rng.standard_normal(shape)
        if band is not None:
            # a product with the transfer function is one line and treats all axes alike
            square = sum(f * f for f in np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij"))
            narrow, wide = (np.exp(-2 * np.pi**2 * width**2 * square) for width in band)
            lattice = np.fft.ifftn(np.fft.fftn(lattice) * (narrow - wide)).real
        self._lattice = lattice.astype(np.float32)
        probe = np.linspace(-80, 80, 41)
        self._lattice /= self((probe, probe, probe)).std()

    def __call__(self, axes: Axes) -> np.ndarray:
        """Evaluate the field on a grid.

        Args:
            axes: the three coordinate vectors of the grid, mm; lengths I, J, K.

        Returns:
            float32 (I, J, K).
        """
        return self._expand([self._basis(axes, axis) for axis in range(3)])

    def distance_to_zero(self, axes: Axes) -> np.ndarray:
        """Estimate the distance to the field's zero set, a labyrinth of smooth sheets.

        Args:
            axes: the three coordinate vectors of the grid, mm; lengths I, J, K.

        Returns:
            float32 (I, J, K), mm, first-order accurate near the sheets.
        """
        plain = [self._basis(axes, axis) for axis in range(3)]
        slope = np.full([len(axis) for axis in axes], 1e-6, dtype=np.float32)
        for axis in range(3):
            bases = list(plain)
            bases[axis] = self._basis(axes, axis, derivative=True)
            slope += self._expand(bases) ** 2
        return np.abs(self._expand(plain)) / np.sqrt(slope)

    def _basis(self, axes: Axes, axis: int, derivative: bool = False) -> np.ndarray:
        """Cubic B-spline weights (points, lattice nodes), or their derivative per mm."""
        spacing = self._spacing[axis]
        position = (np.clip(axes[axis], -_EXTENT, _EXTENT) + _EXTENT) / spacing + 1
        signed = position[:, None] - np.arange(self._lattice.shape[axis])
        u = np.abs(signed)
        if derivative:
            inner, outer = (1.5 * u - 2) * u, -0.5 * (2 - u) ** 2
            weights = np.sign(signed) * np.where(u < 1, inner, outer) / spacing
        else:
            weights = np.where(u < 1, 2 / 3 + (0.5 * u - 1) * u * u, (2 - u) ** 3 / 6)
        return np.where(u < 2, weights, 0).astype(np.float32)

    def _expand(self, bases: list[np.ndarray]) -> np.ndarray:
        """Tensor product of the lattice with one weight matrix per axis."""
        field = self._lattice
        for basis in bases:  # contracts the first axis, appends the new one: order is kept
            field = np.tensordot(field, basis, axes=(0, 1))
        return field
