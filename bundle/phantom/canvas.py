"""The head phantom's label map on a grid, on which shapes in head coordinates are painted.

Head coordinates are millimetres, RAS: x to the right, y to the front, z up; the origin is the
middle of the brain at the height of the deep nuclei.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike

from bundle.phantom.shapes import Axes, Point, Shape, SmoothNoise


class Tissue(IntEnum):
    """Labels of the label map."""

    BACKGROUND = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    BONE = 4
    MARROW = 5
    AIR = 6
    CSF = 7
    GREY_MATTER = 8
    WHITE_MATTER = 9
    VENTRICLE = 10
    CAUDATE = 11
    PUTAMEN = 12
    THALAMUS = 13
    CEREBELLUM_GREY = 14
    CEREBELLUM_WHITE = 15
    BRAINSTEM = 16
    DURA = 17
    VESSEL = 18
    EYE = 19
    LENS = 20
    OPTIC_NERVE = 21
    CALCIFICATION = 22
    LESION = 23
    OEDEMA = 24


SIDES = (("left", -1.0), ("right", 1.0))


class Canvas:
    """A label map to paint on, with one individual's size, pose and asymmetry.

    The same ``rng`` state gives the same individual on every grid.

    Args:
        rng: all that makes this individual.
        axes: coordinate vectors of the grid, mm RAS; lengths I, J, K.

    Attributes:
        rng: the source of further variation.
        axes: coordinate vectors of the grid, mm RAS.
        points: float32 (3, I, J, K), standard-head coordinates of the voxels, mm.
        bulge: float32 (I, J, K), smooth unit noise by which surfaces are rippled.
        labels: uint8 (I, J, K) of :class:`Tissue`.
        landmarks: name -> (tissue it lies in, position in mm RAS).
    """

    def __init__(self, rng: np.random.Generator, axes: Axes) -> None:
        self.rng = rng
        self.axes = [np.asarray(axis, dtype=np.float64) for axis in axes]
        self.labels = np.zeros([len(axis) for axis in axes], dtype=np.uint8)
        self.landmarks: dict[str, tuple[Tissue, np.ndarray]] = {}
        self._place()
        self.bulge = SmoothNoise(rng, 22)(axes)

    def _place(self) -> None:
        """Draw size, pose and asymmetry; map the grid's points to the standard head."""
        rng = self.rng
        pitch, yaw, roll = np.deg2rad(rng.normal(0, (5, 2.5, 2.5)))
        turn_x = [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
        turn_y = [[np.cos(roll), 0, np.sin(roll)], [0, 1, 0], [-np.sin(roll), 0, np.cos(roll)]]
        turn_z = [[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]]
        size = rng.normal(1, 0.035) * rng.normal(1, (0.025, 0.03, 0.025))
        self._to_standard = np.array(turn_x) @ turn_y @ turn_z / size
        self._shift = rng.normal(0, (2, 3, 2))
        self._bends = [SmoothNoise(rng, 48) for _ in range(3)]
        self._bend_size = rng.uniform(1.5, 3.0)
        self.points = self._standard(self.axes)

    def _standard(self, axes: Axes) -> np.ndarray:
        """Standard-head coordinates (3, I, J, K), mm, of the points of a grid."""
        x, y, z = (
            (axis - shift).reshape(np.roll((-1, 1, 1), index))
            for index, (axis, shift) in enumerate(zip(axes, self._shift, strict=True))
        )
        size = np.float32(self._bend_size)
        return np.stack(
            [
                (a * x + b * y + c * z).astype(np.float32) + size * bend(axes)
                for (a, b, c), bend in zip(self._to_standard, self._bends, strict=True)
            ]
        )

    def _world(self, point: Point) -> np.ndarray:
        """Invert ``_standard`` for one point; 6 rounds leave under 0.01 mm."""
        back = np.linalg.inv(self._to_standard)
        world = back @ point + self._shift
        for _ in range(6):
            here = self._standard([world[a : a + 1] for a in range(3)])[:, 0, 0, 0]
            world = world + back @ (np.asarray(point) - here)
        return world

    def mark(self, name: str, tissue: Tissue, point: Point) -> None:
        """Note a landmark.

        Args:
            name: its name.
            tissue: the label in which it lies.
            point: standard-head coordinates, mm.
        """
        self.landmarks[name] = (tissue, self._world(point))

    def mark_first(self, name: str, tissue: Tissue, start: Point, axis: int, step: int) -> None:
        """Note as a landmark the first voxel of a label along a grid axis; none, none noted.

        Args:
            name: its name.
            tissue: the label to look for.
            start: where to start, standard-head coordinates, mm.
            axis: the axis to follow.
            step: 1 or -1, upwards or downwards.
        """
        world = self._world(start)
        index = [int(np.abs(a - w).argmin()) for a, w in zip(self.axes, world, strict=True)]
        while 0 <= index[axis] < self.labels.shape[axis]:
            if self.labels[tuple(index)] == tissue:
                mm = np.array([a[i] for a, i in zip(self.axes, index, strict=True)])
                self.landmarks[name] = (tissue, mm)
                return
            index[axis] += step

    def box(self, low: ArrayLike, high: ArrayLike) -> tuple[slice, ...]:
        """Find the part of the grid that surely holds a box.

        Args:
            low: lower corner, standard-head coordinates, mm.
            high: upper corner.

        Returns:
            index ranges along I, J, K.
        """
        corners = np.array(np.meshgrid(*np.transpose([low, high]))).reshape(3, -1)
        world = np.linalg.inv(self._to_standard) @ corners + self._shift[:, None]
        margin = 5 * self._bend_size
        return tuple(
            slice(*np.searchsorted(axis, (w.min() - margin, w.max() + margin)))
            for axis, w in zip(self.axes, world, strict=True)
        )

    def paint(
        self,
        tissue: Tissue,
        shape: Shape,
        *,
        grow: float = 0.0,
        ripple: float = 0.0,
        over: Collection[Tissue] | None = None,
        where: np.ndarray | None = None,
    ) -> None:
        """Set a label inside a shape.

        Args:
            tissue: the label.
            shape: the shape, in standard coordinates.
            grow: enlarge the shape by this much, mm.
            ripple: standard deviation of a smooth displacement of its surface, mm.
            over: only where one of these labels stands so far.
            where: only where this (I, J, K) mask is true.
        """
        low, high = shape.bounds()
        reach = grow + 4 * ripple
        box = self.box(low - reach, high + reach)
        depth = shape.distance(self.points[(slice(None), *box)]) + ripple * self.bulge[box]
        inside = depth > -grow
        if over is not None:
            inside &= np.isin(self.labels[box], list(over))
        if where is not None:
            inside &= where[box]
        self.labels[box][inside] = tissue
